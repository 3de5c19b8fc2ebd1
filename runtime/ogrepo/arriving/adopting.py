# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenGnsys' images served from where they lie: each read once, and a record of its bytes signed.

Nothing in their folder is written, renamed or locked; what is made is a link and small files in
the repository. A run that is cut goes on where it was: what was read and is unchanged is not read
again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.format.manifest import PrivateKey, load_public_keys
from oglib.progress import Progress
from oglib.texts import TooLargeError, read_whole
from ogrepo.arriving.examine import Examined, examine
from ogrepo.arriving.importing import publish_as, refuse_synchronised, write_older
from ogrepo.arriving.rest import Stamps, stamps_of
from ogrepo.arriving.survey import DAMAGED, IN_USE, READABLE, Found, in_use, survey
from ogrepo.arriving.work import sweep, work_folder
from ogrepo.library.adopted import Adopted, adopted, all_adopted, remember
from ogrepo.library.disks import disk_names, refuse_inside
from ogrepo.library.folder import Folder
from ogrepo.library.foreign import find_foreign, foreign_names
from ogrepo.library.proving.pacing import Pace, PacedSource
from ogrepo.library.publishing import turn
from ogrepo.library.signed import sign_record
from ogrepo.library.store import IMAGE, names, next_version, staged_file
from ogrepo.shortage import is_shortage

_SERVED, _AS_BEFORE, _GONE = "adopted", "as before", "gone"
_FORGET_EVERY = 64 << 20
_SUM_BYTES = 4096


class _ChangingError(OgError):
    """Somebody is at it: nothing is known of it but that."""


def look(folder: Folder, top: Path) -> list[Found]:
    """What is there, under the names that it has or would get; and what is not there any more."""
    known = {one.path: one.name for one in all_adopted(folder) if one.folder == str(top)}
    taken = {*names(folder), *disk_names(folder), *foreign_names(folder)} - set(known.values())
    taken |= {one.name for one in all_adopted(folder) if one.folder != str(top)}
    found = survey(top, known, taken)
    there = {one.path for one in found}
    gone = [
        Found(path, _GONE, name, said="it is not in the folder any more, and not offered")
        for path, name in sorted(known.items())
        if path not in there
    ]
    return [*found, *gone]


def adopt(folder: Folder, top: Path, *, progress: Progress, pace: Pace) -> Iterator[Found]:
    """Serve every readable image; each is given as it was found, when it is done."""
    key = PrivateKey.load(folder.image_key)
    sweep(folder)
    for one in look(folder, top):
        if one.state == READABLE:
            yield _Adopting(folder, top, key, progress, pace).adopt(one)
        else:
            yield one


@dataclass(frozen=True, slots=True)
class _Adopting:
    folder: Folder
    top: Path
    key: PrivateKey
    progress: Progress
    pace: Pace

    def adopt(self, one: Found) -> Found:
        assert one.stamps is not None  # noqa: S101 - what is readable was looked at
        known = adopted(self.folder, one.name)
        if known is not None and _stamps(known) == one.stamps:
            if known.problem:
                return replace(one, state=DAMAGED, said=known.problem)
            if self._is_served(known):
                return replace(one, state=_AS_BEFORE)
        try:
            return self._adopted(one, one.stamps)
        except _ChangingError as error:
            return replace(one, state=IN_USE, said=error.message)
        except ImageError as error:
            if is_shortage(error):
                raise
            if stamps_of(self.top / one.path) != one.stamps:
                return replace(one, state=IN_USE, said="it was changed while it was read")
            self._remember(one, one.stamps, problem=error.message)
            return replace(one, state=DAMAGED, said=error.message)

    def _is_served(self, known: Adopted) -> bool:
        """Whether it is shown; a run that was cut may have remembered it before."""
        try:
            keys = load_public_keys(self.folder.keys)
            return find_foreign(self.folder, known.name, keys).record.version == known.version
        except (NotFoundError, ImageError) as error:
            if is_shortage(error):
                raise
            return False

    def _adopted(self, one: Found, stamps: Stamps) -> Found:
        refuse_inside(self.folder, one.name)
        path = self.top / one.path
        with work_folder(self.folder, 0) as work:
            found = self._examined(path, one.name, work)
            if stamps_of(path) != stamps or in_use(path):
                raise _ChangingError(f"{path} was changed while it was read.")
            refuse_synchronised(found, str(path))
            _compare_sums(path, found)
            self._publish(one, stamps, found, work)
        return replace(one, state=_SERVED)

    def _examined(self, path: Path, name: str, work: Path) -> Examined:
        with path.open("rb") as handle:
            return examine(
                PacedSource(path, self.pace),
                name,
                scratch=work,
                progress=self.progress,
                passed=_forgetting(handle.fileno()),
            )

    def _publish(self, one: Found, stamps: Stamps, found: Examined, work: Path) -> None:
        staged = work / "staged"
        staged.mkdir(mode=0o700)
        path_of = partial(staged_file, staged)
        path_of(IMAGE).symlink_to(self.top / one.path)
        write_older(found, one.hostname, path_of)
        with turn(self.folder, one.name):
            version = next_version(self.folder, one.name)
            record = found.record(one.name, one.hostname, version, self.key.public.key_id)
            sign_record(record, self.key, path_of)
            # before it is shown: without this the link leads nowhere
            self._remember(one, stamps, version=version)
            publish_as(self.folder, one.name, staged)

    def _remember(self, one: Found, stamps: Stamps, *, version: int = 0, problem: str = "") -> None:
        known = Adopted(
            name=one.name,
            folder=str(self.top),
            path=one.path,
            device=stamps.device,
            inode=stamps.inode,
            size=stamps.size,
            changed_ns=stamps.changed_ns,
            written_ns=stamps.written_ns,
            version=version,
            problem=problem,
        )
        remember(self.folder, known)


def _stamps(known: Adopted) -> Stamps:
    return Stamps(known.device, known.inode, known.size, known.changed_ns, known.written_ns)


def _forgetting(descriptor: int) -> Callable[[int], None]:
    """Lets the kernel forget what was read: it is read once, and PCs need that memory."""
    forgotten = 0

    def passed(done: int) -> None:
        nonlocal forgotten
        if done - forgotten >= _FORGET_EVERY:
            os.posix_fadvise(descriptor, forgotten, done - forgotten, os.POSIX_FADV_DONTNEED)
            forgotten = done

    return passed


def _compare_sums(path: Path, found: Examined) -> None:
    """Raise where OpenGnsys' own sum of the whole file, made after it, is another."""
    beside = path.with_name(f"{path.name}.full.sum")
    try:
        if beside.stat().st_mtime_ns < path.stat().st_mtime_ns:
            return  # of an older file of that name
        said = read_whole(beside, _SUM_BYTES).split()[:1]
    except (OSError, TooLargeError):
        return
    mine = found.sums[1].strip()
    if (
        said
        and len(said[0]) == hashlib.md5(usedforsecurity=False).digest_size * 2
        and (said[0].decode("ascii", "replace").lower() != mine)
    ):
        raise ImageError(
            f"{path} is not the file that {beside.name} was made of: it was damaged since, or "
            "written anew without it."
        )
