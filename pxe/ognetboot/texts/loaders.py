# SPDX-License-Identifier: GPL-3.0-or-later
"""The loader programs: which file of which Debian package, under which name, in what version.

Each is looked for in the site's folder (`--loaders`), then among those that `make setup` fetched
from Debian 13, then on this machine. A folder holds a loader under the name that it is served by,
as a site's own build, or where Debian's package puts it (`usr/lib/ipxe/snponly.efi`). Nothing is
changed or signed here; the files are served byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError

# What `make setup` unpacks; it writes the packages' versions into PACKAGES there.
FETCHED = Path(__file__).resolve().parents[3] / ".tools/loaders"
PACKAGES = "packages"
_STATUS = "var/lib/dpkg/status"
_MOST_BYTES = 64 << 20
# Versions as the programs carry them: iPXE, GRUB (its generations), shim, Memtest86+.
_SAID = (
    re.compile(rb"\0(\d+\.\d+\.\d+\+git-?\d{8}[^\0 ]{0,60})\0"),
    re.compile(rb"grub\.debian,\d+,Debian,grub2,([^,\n]{1,60}),"),
    re.compile(rb"\$Version: ([0-9.]{1,20}) \$"),
    re.compile(rb"Memtest86\+ v([0-9.]{1,20})"),
)


@dataclass(frozen=True, slots=True)
class Loader:
    """`name` in the tree; where `package` puts it, below the root; what it is to a person."""

    name: str
    source: str
    package: str
    what: str


LOADERS = (
    Loader("undionly.kpxe", "usr/lib/ipxe/undionly.kpxe", "ipxe", "iPXE"),
    Loader("snponly.efi", "usr/lib/ipxe/snponly.efi", "ipxe", "iPXE"),
    Loader("ipxe.efi", "usr/lib/ipxe/ipxe.efi", "ipxe", "iPXE"),
    # disk.efi is Debian's GRUB for its installer's netboot: the one build that reads its
    # configuration in a place of its own, so that it does nothing but start the disk. Unsigned, as
    # iPXE is.
    Loader("disk.efi", "usr/lib/grub/x86_64-efi/monolithic/grubnetx64-installer.efi",
           "grub-efi-amd64-bin", "GRUB"),
    # The same for a BIOS; setup puts it together of grub-pc-bin's modules.
    Loader("disk.0", "disk.0", "grub-pc-bin", "GRUB"),
    Loader("shimx64.efi", "usr/lib/shim/shimx64.efi.signed", "shim-signed", "shim"),
    # shim loads its second stage by this name.
    Loader("grubx64.efi", "usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
           "grub-efi-amd64-signed", "GRUB"),
    Loader("memtest.bin", "boot/memtest86+x64.bin", "memtest86+", "Memtest86+"),
    Loader("memtest.efi", "boot/memtest86+x64.efi", "memtest86+", "Memtest86+"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A loader that is served: its content, whence it came, and its version (empty: not told)."""

    loader: Loader
    content: bytes
    path: Path
    version: str


def places(site: Path | None) -> tuple[Path, ...]:
    """The folders that are looked into: the site's, those of `make setup`, this machine's."""
    if site is not None and not site.is_dir():
        raise NetbootError(
            f"{site} is no folder to look for loaders in",
            hint="correct `--loaders`, or leave it out",
        )
    return (*([site] if site else ()), FETCHED, Path("/"))


def read_loaders(needed: Collection[str], folders: Iterable[Path]) -> dict[str, Found]:
    """Every loader that there is by its name; needed ones that are missing are an error."""
    folders = tuple(folders)
    found: dict[str, Found] = {}
    for loader in LOADERS:
        for path, folder in _paths(loader, folders):
            content = _content(path)
            if content is not None:
                version = _said(content) or _packaged(loader, path, folder)
                found[loader.name] = Found(loader, content, path, version)
                break
    missing = [loader for loader in LOADERS if loader.name in needed and loader.name not in found]
    if missing:
        raise NetbootError(
            f"this inventory needs {', '.join(one.name for one in missing)}, and "
            f"{', '.join(map(str, folders))} {'has' if len(folders) == 1 else 'have'} none",
            hint="run `make setup`, install Debian's "
            + ", ".join(dict.fromkeys(f"{one.package} ({one.source})" for one in missing))
            + ", or put a build of your own there under that name",
        )
    return found


def told(found: Mapping[str, Found]) -> tuple[str, ...]:
    """A line for a person for each program: what, which version, from where."""
    lines: dict[str, list[str]] = {}
    for one in found.values():
        what = f"{one.loader.what} {one.version or 'of no version that it tells'}"
        lines.setdefault(f"{what} from {one.path.parent}", []).append(one.loader.name)
    return tuple(f"{what}: {', '.join(names)}" for what, names in lines.items())


def _paths(loader: Loader, folders: Iterable[Path]) -> Iterable[tuple[Path, Path]]:
    for folder in folders:
        # The root of a machine is no place for a site's own builds.
        own = [folder / loader.name] if folder != Path("/") else []
        for path in dict.fromkeys([*own, folder / loader.source]):
            yield path, folder


def _content(path: Path) -> bytes | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise NetbootError(
                f"{path} has more than {_MOST_BYTES >> 20} MiB and is no loader",
                hint="put the right file there",
            )
        return keeping.content(path, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NetbootError(
            f"{path} cannot be read: {error.strerror}", hint="check its rights"
        ) from None


def _said(content: bytes) -> str:
    """The version that the program itself carries; a packed one shows none."""
    for pattern in _SAID:
        if match := pattern.search(content):
            return match[1].decode("ascii", "replace")
    return ""


def _packaged(loader: Loader, path: Path, folder: Path) -> str:
    """The version of Debian's package, where the file is the package's."""
    if path != folder / loader.source:
        return ""
    try:
        listed = (folder / PACKAGES).read_text("ascii", "replace")
    except OSError:
        return _installed(loader.package, folder)
    versions = dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)
    return versions.get(loader.package, "")


def _installed(package: str, root: Path) -> str:
    try:
        status = (root / _STATUS).read_text("utf-8", "replace")
    except OSError:
        return ""
    match = re.search(
        rf"^Package: {re.escape(package)}\n(?:\S.*\n| .*\n)*?Version: (\S+)$", status, re.MULTILINE
    )
    return match[1] if match else ""


# How a build of iPXE names the day of its source.
_BUILD = re.compile(r"\+git-?(\d{4})\d{4}\.[0-9a-f]+")
_FIRST_NEW_YEAR = 2021


def ipxe_is_old(folders: Iterable[Path]) -> bool | None:
    """Whether the iPXE there is that of Debian 12, which lacks HTTPS; None: it does not say."""
    found = read_loaders((), folders).get("snponly.efi")
    built = _BUILD.search(found.version) if found else None
    return int(built[1]) < _FIRST_NEW_YEAR if built else None
