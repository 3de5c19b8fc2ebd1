# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that mkosi lays over the root: oglib as a wheel, its dependencies, the commands.

Owns build/.mkosi/python. Pure downloads come once into the cache folder; nothing is compiled. The
same sources make the same bytes on every build machine.
"""

import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ogimage import mkosi
from ogimage.paths import CACHE_DIR, IMAGE_DIR, PROJECT_DIR
from ogimage.shell import BuildError, run, say

TREE = mkosi.WORK_DIR / "python"
LOCK = IMAGE_DIR / "requirements.lock"
BACKENDS = IMAGE_DIR / "build-backends.lock"
SITE = Path("usr/lib/python3/dist-packages")
# The PC's Python, whatever this machine's is.
PC_PYTHON = (
    "--python-version",
    "3.13",
    "--implementation",
    "cp",
    "--platform",
    "manylinux2014_x86_64",
    "--platform",
    "manylinux_2_28_x86_64",
)
# Published as source only; pure Python, and made into a wheel by the pinned back end.
SOURCE_ONLY = "blkinfo"

# -I: neither the environment nor the current folder can bring in other modules.
COMMAND = """#!/usr/bin/python3 -I
import sys
from {module} import main
sys.exit(main())
"""
COMMANDS = {"og": "oglib.__main__", "og-shim": "oglib.shim.__main__"}
# Where OpenGnsys' scripts have their functions (OGAPI).
OLD_NAMES = Path("opt/opengnsys/lib/engine/bin")


def python_tree() -> str:
    """Makes the tree when its inputs changed; returns their fingerprint.

    Nothing in it tells where, when or by which Python it was made: wheels are made by pinned back
    ends, and unpacked here: pip notes paths of the build machine, and hashes of scripts with them.
    """
    sources = [PROJECT_DIR / n for n in ("runtime", "pxe", "menus", "pyproject.toml")]
    key = mkosi.fingerprint(*(s for s in sources if s.exists()), LOCK, BACKENDS, Path(__file__))
    stamp = TREE.with_suffix(".key")
    if stamp.exists() and stamp.read_text() == key and TREE.is_dir():
        return key
    python = PROJECT_DIR / ".venv/bin/python"
    if not python.exists():
        raise BuildError("the Python environment .venv is missing", "run `make setup`")
    say("building oglib's wheel")
    stamp.unlink(missing_ok=True)
    shutil.rmtree(TREE, ignore_errors=True)
    wheels = mkosi.WORK_DIR / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    pinned, backends = _dependencies(python), _backends(python)
    for source in (PROJECT_DIR, *sorted(pinned.glob("*.tar.gz"))):
        _make_wheel(python, backends, source, wheels)
    for wheel in sorted((*wheels.glob("*.whl"), *pinned.glob("*.whl"))):
        unpack_wheel(wheel, TREE / SITE)
    commands = TREE / "usr/bin"
    commands.mkdir(parents=True)
    for name, module in COMMANDS.items():
        (commands / name).write_text(COMMAND.format(module=module))
        (commands / name).chmod(0o755)
    run([python, "-m", "oglib.shim", "--install", TREE / OLD_NAMES, "/usr/bin/og-shim"])
    _settle(TREE)
    stamp.write_text(key)
    return key


def unpack_wheel(wheel: Path, site: Path) -> None:
    """The modules and the metadata of a wheel; programs and headers in it are not wanted."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts
            if parts[0].endswith(".data"):
                if len(parts) < 3 or parts[1] not in ("purelib", "platlib"):
                    continue
                parts = parts[2:]
            if ".." in parts or parts[0] == "/":
                raise BuildError(f"{wheel.name} holds the file {entry.filename}")
            if entry.is_dir():
                continue
            target = site.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(entry))
            target.chmod(0o755 if entry.external_attr >> 16 & 0o111 else 0o644)


def _settle(tree: Path) -> None:
    """Folders readable for all whatever the umask is, and one date for everything."""
    date = (mkosi.SOURCE_DATE_EPOCH, mkosi.SOURCE_DATE_EPOCH)
    for path in (*tree.rglob("*"), tree):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    for path in (*tree.rglob("*"), tree):
        os.utime(path, date, follow_symlinks=False)


def _make_wheel(python: Path, backends: Path, source: Path, folder: Path) -> None:
    """A wheel of a source by the pinned back ends alone, whatever else is installed here."""
    run(
        [
            *(python, "-m", "pip", "--quiet", "wheel", "--no-build-isolation", "--no-index"),
            *("--no-deps", "--no-cache-dir", "--wheel-dir", folder, source),
        ],
        env={
            "SOURCE_DATE_EPOCH": str(mkosi.SOURCE_DATE_EPOCH),
            "PYTHONPATH": str(backends),
            "PYTHONHASHSEED": "0",
        },
    )


def _backends(python: Path) -> Path:
    """A folder with the pinned back ends as modules, every digest checked by pip."""
    folder = CACHE_DIR / "backends" / mkosi.fingerprint(BACKENDS)[:12]
    if folder.is_dir():
        return folder
    part = folder.with_suffix(".part")
    wheels = part / "wheels"
    shutil.rmtree(part, ignore_errors=True)
    wheels.mkdir(parents=True)
    _download(python, BACKENDS, wheels, ("--only-binary=:all:",))
    for wheel in sorted(wheels.glob("*.whl")):
        unpack_wheel(wheel, part)
    shutil.rmtree(wheels)
    part.rename(folder)
    return folder


def _dependencies(python: Path) -> Path:
    """The pinned wheels, and the sources of which there is no wheel; digests checked by pip."""
    folder = CACHE_DIR / "wheels" / mkosi.fingerprint(LOCK, BACKENDS)[:12]
    if folder.is_dir():
        return folder
    say("fetching pinned Python packages")
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    only = ("--only-binary=:all:", f"--no-binary={SOURCE_ONLY}", *PC_PYTHON)
    # pip asks a source's back end for its name; the pinned one, and nothing is fetched for it
    _download(
        python, LOCK, part, ("--no-build-isolation", *only), {"PYTHONPATH": str(_backends(python))}
    )
    part.rename(folder)
    return folder


def _download(
    python: Path,
    lock: Path,
    folder: Path,
    options: Sequence[str],
    env: Mapping[str, str] | None = None,
) -> None:
    run(
        [
            *(python, "-m", "pip", "--quiet", "download", "--require-hashes", "--no-deps"),
            *options,
            *("--dest", folder, "--requirement", lock),
        ],
        env=env,
    )
