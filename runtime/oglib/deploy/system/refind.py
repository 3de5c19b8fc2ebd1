# SPDX-License-Identifier: GPL-3.0-or-later
"""rEFInd on the ESP of this PC: its files, a menu of what is on the ESP, and the firmware's entry.

Its files are those of Debian's package ``refind``, which a site's overlay brings. They carry no
signature that a firmware with Secure Boot takes, so there it is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.boot import refind
from oglib.boot.nvram import variables
from oglib.boot.nvram.changing import change_here, find_esp
from oglib.boot.nvram.load_option import loader
from oglib.boot.nvram.planning import second
from oglib.boot.refind import Loader
from oglib.deploy.system.oglive_entry import oglive_in_cache
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.probe import list_disks
from oglib.durable import write_whole
from oglib.errors import NotFoundError, OgErr, OgError, WriteError
from oglib.filesystem.mount import mounted
from oglib.texts import read_whole

SOURCE = Path("/usr/share/refind/refind")
_PROGRAM = "refind_x64.efi"
_FOLDERS = ("drivers_x64", "icons", "fonts")
_LOADERS = ("ogloader.efi", "shimx64.efi", "grubx64.efi", "bootmgfw.efi")
_SPARE_BYTES = 1 << 20


def install(*, scanning: bool) -> tuple[str, ...]:
    """Put it there and make it the second of the firmware's order; the titles of its menu.

    What keeps it from starting is refused first: no UEFI, Secure Boot, no files, no room.
    """
    _check_source()
    store = variables.here()
    if store.read("SecureBoot") == b"\x01":
        raise OgError(
            "Secure Boot is on, and rEFInd carries no signature that this firmware takes.",
            hint="Switch Secure Boot off in the firmware's setup, or use GRUB.",
            code=OgErr.NOTEXEC,
        )
    disk, esp = find_esp(list_disks())
    with _opened(disk, esp) as top:
        _check_room(top)
        loaders = [*_on_esp(top), *_oglive()]
        _copy(top / refind.FOLDER)
        text = refind.config(loaders, scanning=scanning)
        write_whole(top / refind.CONFIG, text.encode())
    option = loader(refind.LABEL, disk, esp, f"{refind.FOLDER}/{_PROGRAM}")
    change_here(lambda old: second(old, option))
    return tuple(one.title for one in loaders)


def change(plan: Callable[[str], str]) -> None:
    """Change the menu of the rEFInd that is on the ESP. NOTFOUND where none is."""
    disk, esp = find_esp(list_disks())
    with _opened(disk, esp) as top:
        path = top / refind.CONFIG
        try:
            old = read_whole(path, follow=False).decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            raise NotFoundError(
                f"There is no {refind.CONFIG} on {disk.called(esp)}.",
                hint="Install it: ogRefindInstall.",
            ) from None
        new = plan(old)
        if new != old:
            write_whole(path, new.encode("utf-8", "surrogateescape"))


@contextmanager
def _opened(disk: Disk, esp: Partition) -> Iterator[Path]:
    """The ESP, to be written; what the system refuses is a WriteError."""
    try:
        with held(disk, esp):
            for point in esp.mountpoints:
                if point.startswith("/"):
                    yield Path(point)
                    return
            with partition_device(disk, esp) as device, mounted(device, write=True) as top:
                yield top
    except OSError as error:
        raise WriteError(f"The ESP cannot be written: {error.strerror}.") from error


def _check_source() -> None:
    if not (SOURCE / _PROGRAM).is_file():
        raise OgError(
            f"rEFInd is not in this ogLive: there is no {SOURCE / _PROGRAM}.",
            hint="Put the folder usr/share/refind of Debian's package refind into the overlay.",
            code=OgErr.NOTEXEC,
        )


def _check_room(top: Path) -> None:
    files = [path for path in SOURCE.rglob("*") if path.is_file()]
    wanted = sum(path.stat().st_size for path in files) + _SPARE_BYTES
    if (free := shutil.disk_usage(top).free) < wanted:
        raise OgError(
            f"The ESP has {free} bytes free, and rEFInd takes {wanted}.", code=OgErr.NOTWRITE
        )


def _on_esp(top: Path) -> Iterator[Loader]:
    """The loaders of partitions' systems that are there."""
    for folder in sorted((top / "EFI").glob("Part-*")):
        if not refind.is_part(folder.name):
            continue
        found = [name for name in _LOADERS if (folder / "Boot" / name).is_file()]
        if found:
            yield Loader(folder.name, f"EFI/{folder.name}/Boot/{found[0]}")


def _oglive() -> Iterator[Loader]:
    """The ogLive of the cache, where there is one."""
    try:
        found = oglive_in_cache()
    except OgError as error:
        if error.code in (OgErr.NOTCACHE, OgErr.NOTFOUND):
            return
        raise
    yield Loader(
        refind.OGLIVE,
        f"{found.folder}/ogvmlinuz",
        volume=found.partuuid,
        initrd=f"{found.folder}/oginitrd.img",
        options=" ".join(found.parameters),
    )


def _copy(folder: Path) -> None:
    """Its files; the program last, so that what starts finds what it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FOLDERS:
        if (SOURCE / name).is_dir():
            shutil.copytree(
                SOURCE / name, folder / name, dirs_exist_ok=True, copy_function=shutil.copyfile
            )
    write_whole(folder / _PROGRAM, (SOURCE / _PROGRAM).read_bytes())
