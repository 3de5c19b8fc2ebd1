# SPDX-License-Identifier: GPL-3.0-or-later
"""The script createImage: a system is cleaned, checked, made small, captured and grown back.

Whatever fails, the filesystem fills its partition again. What can be refused is refused before
anything of the system is changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import refuse_locked
from oglib.engine_cfg import knobs
from oglib.errors import NotFoundError, OgErr, OgError, PartitionError, WriteError
from oglib.run import undisturbed
from oglib.shim.command import Command, command_of
from oglib.shim.image_file import create, refuse_locked_named
from oglib.shim.image_read import image_place, info_line, info_of
from oglib.shim.origin import Origin, origin_of
from oglib.shim.steps import begin_logs, said, say, say_begun, say_time
from oglib.shim.target import partition_of, warn
from oglib.transfer.upload import read_token

_TORRENT = ".torrent"


@dataclass(frozen=True, slots=True)
class _Order:
    """What is captured, and how the image is called."""

    disk: str
    part: str
    origin: Origin
    name: str

    @property
    def place(self) -> tuple[str, str]:
        return self.disk, self.part

    @property
    def words(self) -> tuple[str, str]:
        """``REPO|CACHE NAME``."""
        return self.origin.where, self.origin.name(self.name)

    @property
    def file(self) -> Path | None:
        """The image's file, where it is there already."""
        return image_place(self.words, self.origin.settings.image_extension).find()


def _create(words: Sequence[str]) -> None:
    since = time.monotonic()
    disk, part, place, name = words
    begin_logs("createImageCustom")
    say_begun("createImage", words)
    order = _Order(disk, part, origin_of(place), name.strip("/"))
    _refused(order)
    _fits(order)
    say(20, f"{said('MSG_HELP_ogCheckFs', 'Checking the filesystem')} {disk} {part}")
    command_of("ogUnmount").run(order.place)
    command_of("ogCheckFs").run(order.place)
    _with_its_loader(order)
    with _small(order):
        before = order.file
        if before is not None:
            say(35, f"{said('MSG_SCRIPTS_FILE_RENAME', 'The image before is kept as: ').strip()} "
                f"{before.name}.ant")  # fmt: skip
        say(40, f"ogCreateImage {' '.join((*order.place, *order.words))}")
        begun = time.monotonic()
        create((*order.place, *order.words), order.origin.settings)
        _torrent_aside(before)
        say_time(None, begun, of_all=False)
    say_time(100, since)
    image = order.origin.image(order.name)
    say(None, f"{order.name}: {info_line(info_of(image, order.origin.settings))}")


def _refused(order: _Order) -> None:
    """All that can be known before anything is changed."""
    try:
        disk, part = partition_of(*order.place)
    except NotFoundError as error:
        raise PartitionError(error.message, hint=error.hint) from error
    refuse_locked(disk, part, own_counts=True)
    if order.origin.in_cache and command_of("ogFindCache").run(()) == OgErr.NOTFOUND:
        raise OgError(
            "This PC has no cache.", hint="Make one: `og cache create`.", code=OgErr.NOTCACHE
        )
    if order.origin.http:
        read_token(order.origin.settings.upload_token)
        return
    folder = image_place(order.words, order.origin.settings.image_extension).parent()
    if folder.find() is None:
        say(5, f"{said('MSG_HELP_ogMakeDir', 'Making the folder')} {folder.name}")
    try:
        folder.make()
        with NamedTemporaryFile(dir=folder.folder(), prefix=".writable-"):
            pass
    except (OgError, OSError) as error:
        raise WriteError(f"{folder.name} cannot be written to: {error}") from error
    refuse_locked_named(order.words, order.origin.settings)


def _fits(order: _Order) -> None:
    """Room for the image, if need be after the system's own litter is gone; then that goes too."""
    if order.origin.http or _enough(order):
        _cleaned(order)
        return
    _cleaned(order)
    if not _enough(order):
        raise OgError(
            f"There is no room for {order.name} in {order.origin.where}.",
            hint="Make room there.",
            code=OgErr.CACHESIZE,
        )


def _enough(order: _Order) -> bool:
    answer = str(command_of("ogGetSizeParameters").run((*order.place, *order.words)))
    _, needed, free, enough = answer.split()
    say(16, f"{said('MSG_SCRIPTS_CREATE_SIZE', 'KB needed and KB free:')} {needed} {free}")
    return enough == "TRUE"


def _cleaned(order: _Order) -> None:
    try:
        command_of("ogCleanOs").run(order.place)
    except OgError as error:  # of what holds no system nothing is to be cleaned
        warn(str(error))


def _with_its_loader(order: _Order) -> None:
    """A Windows that starts by UEFI has its loader on another partition: it takes a copy along."""
    if running_firmware() is not Firmware.UEFI:
        return
    if command_of("ogGetOsType").run(order.place) == "Windows":
        say(25, said("MSG_HELP_ogCopyEfiBootLoader", "Keeping the loader beside the system"))
        command_of("ogCopyEfiBootLoader").run(order.place)


@contextmanager
def _small(order: _Order) -> Iterator[None]:
    """As small as it can be, where engine.cfg says so (IMGREDUCE); it is grown back at the end."""
    if (os.environ.get("IMGREDUCE") or knobs().get("IMGREDUCE", "TRUE")).upper() != "TRUE":
        yield
        return
    say(30, said("MSG_HELP_ogReduceFs", "Making the filesystem small"))
    try:
        say(None, f"{_reduced(order)} KB")
        yield
    except BaseException:
        with undisturbed():
            _grown_in_any_case(order)
        raise
    say(90, said("MSG_HELP_ogExtendFs", "Growing the filesystem"))
    try:
        command_of("ogExtendFs").run(order.place)
    except OgError as error:
        raise OgError(error.message, hint=error.hint, code=OgErr.EXTENDFS) from error


def _reduced(order: _Order) -> str:
    try:
        return str(command_of("ogReduceFs").run(order.place))
    except OgError as error:
        raise OgError(error.message, hint=error.hint, code=OgErr.REDUCEFS) from error


def _grown_in_any_case(order: _Order) -> None:
    """After a failure, whose error is the one to be told."""
    try:
        command_of("ogExtendFs").run(order.place)
    except OgError as error:
        warn(f"the filesystem was not grown back: {error}")


def _torrent_aside(before: Path | None) -> None:
    """The old image's torrent is of the old image: it goes aside with it."""
    if before is None:
        return
    torrent = before.with_name(f"{before.name}{_TORRENT}")
    if torrent.is_file():
        torrent.replace(torrent.with_name(f"{torrent.name}.ant"))


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "createImage",
            "DISK PARTITION REPO|CACHE|ADDRESS IMAGE",
            "makes an image of a partition: cleaned, checked, made small, captured, grown back",
            _create,
            4,
            4,
            "createImage 1 1 REPO debian",
            "Whatever fails, the filesystem is grown back; what can be refused is refused before "
            "anything of the system is changed. The image takes its name when it is whole and "
            "verified. Each error has its own number. Into a repository asked by HTTP it needs "
            "the upload token of `ogrepo token`. A createImage of the site's wins, its "
            "createImageCustom over both.",
        ),
    )
}
