# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands that keep what lies outside of partitions: MBR, its code alone, and GPT."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from oglib import settings
from oglib.deploy.whole_disk.table_copy import create_table_image, restore_table_image
from oglib.disk.lock import held
from oglib.disk.probe import probe_target
from oglib.shim.command import Command
from oglib.shim.disk_change import everything, unmounted
from oglib.shim.image_lock import held_image, image_file, refuse_locked_image
from oglib.shim.image_read import image_place, refuse_over_http
from oglib.shim.target import disk_of


def _file(words: Sequence[str], extension: str) -> Path:
    refuse_over_http(words[0], settings.load())
    return image_file(image_place(words, extension))


def _create(kind: str, extension: str) -> Callable[[Sequence[str]], None]:
    def create(words: Sequence[str]) -> None:
        disk = disk_of(words[0])
        file = _file(words[1:], extension)
        with held_image(file):
            create_table_image(disk, kind, file)

    return create


def _restore(kind: str, extension: str) -> Callable[[Sequence[str]], None]:
    def restore(words: Sequence[str]) -> None:
        disk = disk_of(words[2])
        file = image_place(words[:2], extension).file()
        refuse_locked_image(file)
        with held(disk), unmounted(disk, everything):
            restore_table_image(file, kind, probe_target(disk.path))

    return restore


def _commands() -> Iterator[Command]:
    for name, kind, extension, what in (
        ("Mbr", "mbr", "mbr", "the MBR of a disk, 512 bytes with its partition table,"),
        ("BootLoader", "boot", "mbr", "the boot code of a disk's MBR, 446 bytes,"),
        ("Gpt", "gpt", "gpt", "the GPT of a disk (as sgdisk keeps it)"),
    ):
        create, restore = f"ogCreate{name}Image", f"ogRestore{name}Image"
        yield Command(
            create,
            "DISK REPO|CACHE NAME",
            f"keeps {what} in NAME.{extension}",
            _create(kind, extension),
            3,
            3,
            f"{create} 1 REPO debian",
            "The file is whole or not there."
            + (" A disk without a GPT is refused (NOGPT)." if kind == "gpt" else ""),
        )
        yield Command(
            restore,
            "REPO|CACHE NAME DISK",
            f"writes {what} from NAME.{extension}",
            _restore(kind, extension),
            3,
            3,
            f"{restore} REPO debian 1",
            "The file is checked before anything is written. What is mounted of the disk is "
            "mounted again afterwards.",
        )


COMMANDS = {command.name: command for command in _commands()}
