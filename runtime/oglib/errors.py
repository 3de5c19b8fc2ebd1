# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, as values: the OG_ERR numbers of OpenGnsys and the errors that carry them.

An error is raised where the thing fails and caught in ``__main__`` alone, which prints it and
turns its number into the exit code. Nothing here prints or exits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from oglib.wording.spoken import with_names


class OgErr(IntEnum):
    """Error numbers that OpenGnsys' scripts and consoles know (engine 1.1.1d), and from 100 ours.

    NOTFITTED is the end of a deployment whose image is on the disk, proven, and whose system was
    not fitted to this PC.
    """

    FORMAT = 1
    NOTFOUND = 2
    PARTITION = 3
    LOCKED = 4
    IMAGE = 5
    NOTOS = 6
    NOTEXEC = 7
    NOTWRITE = 14
    NOTCACHE = 15
    CACHESIZE = 16
    REDUCEFS = 17
    EXTENDFS = 18
    OUTOFLIMIT = 19
    FILESYS = 20
    CACHE = 21
    NOGPT = 22
    REPO = 23
    NOMSDOS = 24
    IMGSIZEPARTITION = 30
    UPDATECACHE = 31
    DONTFORMAT = 32
    IMAGEFILE = 33
    GENERIC = 40
    UCASTSYNTAXT = 50
    UCASTSENDPARTITION = 51
    UCASTSENDFILE = 52
    UCASTRECEIVERPARTITION = 53
    UCASTRECEIVERFILE = 54
    MCASTSYNTAXT = 55
    MCASTSENDFILE = 56
    MCASTRECEIVERFILE = 57
    MCASTSENDPARTITION = 58
    MCASTRECEIVERPARTITION = 59
    PROTOCOLJOINMASTER = 60
    DONTMOUNT_IMAGE = 70
    DONTSYNC_IMAGE = 71
    DONTUNMOUNT_IMAGE = 72
    NOTDIFFERENT = 73
    SYNCHRONIZING = 74
    NOTUEFI = 80
    NOTBIOS = 81
    NOTFITTED = 100


def printable(text: str) -> str:
    """A label or a name as a terminal may have it: what is no character to be seen is escaped."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


class OgError(Exception):
    """A failure told to a person: what and why in one sentence, what to do in the hint."""

    code: OgErr = OgErr.GENERIC

    def __init__(self, message: str, *, hint: str = "", code: OgErr | None = None) -> None:
        message, hint = with_names(message), with_names(hint)
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return printable(f"{self.message} {self.hint}".strip())

    def as_dict(self) -> dict[str, object]:
        """The one JSON object printed with ``--json``."""
        return {
            "error": {
                "code": int(self.code),
                "name": self.code.name,
                "message": self.message,
                "hint": self.hint,
            }
        }


class UsageError(OgError):
    """The request itself is wrong: arguments, names, layout files."""

    code = OgErr.FORMAT


class NotFoundError(OgError):
    """A disk, partition, file or image that was named is not there."""

    code = OgErr.NOTFOUND


class PartitionError(OgError):
    """A partition table cannot be read, planned or written."""

    code = OgErr.PARTITION


class FilesystemError(OgError):
    """A filesystem cannot be made, checked, mounted or recognised."""

    code = OgErr.FILESYS


class ImageError(OgError):
    """An image is damaged, foreign, unsigned or does not fit what was asked."""

    code = OgErr.IMAGE


class TransferError(OgError):
    """Bytes could not be brought from or to the repository."""

    code = OgErr.REPO


class CancelledError(OgError):
    """Somebody said that this work shall end before it is done."""

    def __init__(self, why: str) -> None:
        super().__init__(f"This was cancelled: {why}.", hint="Run the same job again to go on.")


class WriteError(OgError):
    """The target could not be written, or did not hold what was written."""

    code = OgErr.NOTWRITE


class ProcessError(OgError):
    """A program ended with a status that is not success."""

    code = OgErr.NOTEXEC

    def __init__(self, argv: Sequence[str], status: int, stderr: str, *, hint: str = "") -> None:
        self.argv = tuple(argv)
        self.status = status
        self.stderr = stderr
        said = " ".join(stderr.split())[-600:]
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(f"{self.argv[0]} {how}{': ' + said if said else ''}.", hint=hint)
