# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that mkosi lays over the root: oglib as a wheel, its dependencies, the commands.

Owns build/.mkosi/python. Pure downloads come once into the cache folder; nothing is compiled.
"""

import shutil
from pathlib import Path

from ogimage import mkosi
from ogimage.paths import CACHE_DIR, IMAGE_DIR, PROJECT_DIR
from ogimage.shell import BuildError, run, say

TREE = mkosi.WORK_DIR / "python"
LOCK = IMAGE_DIR / "requirements.lock"
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
# Published as source only; pure Python, so any pip makes the same wheel of it.
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
    """Makes the tree when its inputs changed; returns their fingerprint."""
    sources = [PROJECT_DIR / n for n in ("runtime", "pxe", "menus", "pyproject.toml")]
    key = mkosi.fingerprint(*(s for s in sources if s.exists()), LOCK, Path(__file__))
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
    epoch = {"SOURCE_DATE_EPOCH": str(mkosi.SOURCE_DATE_EPOCH)}
    run([python, "-m", "build", "--wheel", "--outdir", wheels, PROJECT_DIR], env=epoch)
    run(
        [
            python,
            "-m",
            "pip",
            "--quiet",
            "install",
            "--no-index",
            "--no-deps",
            "--no-compile",
            "--only-binary=:all:",
            *PC_PYTHON,
            "--target",
            TREE / SITE,
            *sorted(wheels.glob("*.whl")),
            *sorted(_dependencies(python).glob("*.whl")),
        ]
    )
    shutil.rmtree(TREE / SITE / "bin", ignore_errors=True)  # scripts with this machine's Python
    commands = TREE / "usr/bin"
    commands.mkdir(parents=True)
    for name, module in COMMANDS.items():
        (commands / name).write_text(COMMAND.format(module=module))
        (commands / name).chmod(0o755)
    run([python, "-m", "oglib.shim", "--install", TREE / OLD_NAMES, "/usr/bin/og-shim"])
    stamp.write_text(key)
    return key


def _dependencies(python: Path) -> Path:
    """The pinned wheels, every digest checked by pip."""
    folder = CACHE_DIR / "wheels" / mkosi.fingerprint(LOCK)[:12]
    if folder.is_dir():
        return folder
    say("fetching pinned Python packages")
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    run(
        [
            python,
            "-m",
            "pip",
            "--quiet",
            "download",
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            f"--no-binary={SOURCE_ONLY}",
            *PC_PYTHON,
            "--dest",
            part,
            "--requirement",
            LOCK,
        ]
    )
    for source in part.glob("*.tar.gz"):
        run([python, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", part, source])
        source.unlink()
    part.rename(folder)
    return folder
