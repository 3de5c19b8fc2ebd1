# SPDX-License-Identifier: GPL-3.0-or-later
"""What a row about a filesystem can say: its form and its words; the rows are in ``kinds``.

Pure; starts nothing and opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Kinds that lie on a disk in one way: what reads one of a family reads them all."""

    EXT = "ext"
    XFS = "xfs"
    BTRFS = "btrfs"
    F2FS = "f2fs"
    FAT = "fat"
    EXFAT = "exfat"
    NTFS = "ntfs"
    HFSPLUS = "hfsplus"
    JFS = "jfs"
    NILFS2 = "nilfs2"
    REISERFS = "reiserfs"
    SWAP = "swap"
    LVM = "lvm"
    OTHER = "not read here"


class Grow(StrEnum):
    """How a filesystem fills a larger partition; the first word is the tool."""

    EXT = "resize2fs, unmounted"
    XFS = "xfs_growfs, mounted"
    BTRFS = "btrfs filesystem resize, mounted"
    NTFS = "ntfsresize, unmounted"
    F2FS = "resize.f2fs, unmounted"
    JFS = "mount -o remount,resize"
    NILFS2 = "nilfs-resize, mounted"
    REISERFS = "resize_reiserfs, unmounted"
    NEVER = "not possible"

    @property
    def tool(self) -> str:
        """The program that does it; of NEVER the empty word."""
        return "" if self is Grow.NEVER else self.split()[0].rstrip(",")


class Shrink(StrEnum):
    """How a filesystem is made smaller."""

    EXT = "resize2fs, unmounted"
    BTRFS = "btrfs filesystem resize, mounted"
    NTFS = "ntfsresize, unmounted"
    NEVER = "not possible"


class LabelIn(StrEnum):
    """What the length of a label is counted in: how the filesystem keeps it."""

    ASCII = "characters"
    UTF8 = "bytes"
    UTF16 = "UTF-16 characters"

    def length(self, label: str) -> int:
        if self is LabelIn.ASCII:
            return len(label)
        return len(label.encode()) if self is LabelIn.UTF8 else len(label.encode("utf-16-le")) // 2


class Trouble(StrEnum):
    """What keeps a filesystem from being used as it is."""

    DIRTY = "dirty"
    JOURNAL = "journal"
    HIBERNATED = "hibernated"
    UNFINISHED = "unfinished"
    SUSPENDED = "suspended"
    BITLOCKER = "bitlocker"
    LUKS = "luks"
    SPREAD = "spread"


NOT_CLEAN = "it was not unmounted cleanly"
ERRORS = "it has errors"
FAILED = "its disk failed while it was written (so its driver noted)"
CHECK = "Check it with `og fs check`."
SURFACE = "Let Windows look at all of its disk (`chkdsk /r`), or make it anew on another one."
REPLAY = "Let its own system mount it and shut down fully. Or: check it with `og fs check`."


@dataclass(frozen=True, slots=True)
class Mark:
    """Bytes by which a filesystem is known, and where they stand."""

    at: int
    magic: bytes

    def is_in(self, head: bytes) -> bool:
        return head.startswith(self.magic, self.at)


@dataclass(frozen=True, slots=True)
class Left:
    """A number in a superblock that says how the filesystem was left.

    The number (``form`` of ``struct``) stands at ``at`` bytes; ``bits`` of it must be ``clean``.
    """

    at: int
    form: str
    bits: int
    clean: int
    text: str = NOT_CLEAN
    trouble: Trouble = Trouble.DIRTY
    remedy: str = CHECK


@dataclass(frozen=True, slots=True)
class Kind:
    """The facts of one filesystem kind.

    Names: ``name`` is our word, ``probed`` are blkid's where they differ, ``mnemonic`` is
    OpenGnsys', with ``old_names`` beside it; ``words`` are what images and their tools call it,
    partclone's word first (the mnemonic, where there are none).

    Making and checking: ``make`` is the command without options; label and UUID follow
    ``label_option`` and ``uuid_option``; a label has at most ``label_most`` of what ``label_in``
    counts, and no character of ``label_never``. ``least_bytes`` and ``most_bytes`` bound what
    ``make`` accepts (0: no bound known). ``check`` repairs what is safe; it ends with
    ``check_sound``, or with one of ``check_repaired`` after it corrected something.

    On the disk: any of ``marks`` tells the kind; ``superblocks`` are the bytes at which what
    starts or mounts it looks first, the decisive one before the others; ``spare_boot_sector``: a
    copy of the boot sector lies behind the last block, where no image holds it. ``left`` are the
    numbers that say how it was left; of each the first that is not clean counts. ``types`` are the
    partition types that may hold it, the first is the one to set. ``holder``: it is no filesystem,
    and in words what the partition is then; ``encrypted``: nothing of it
    can be read here.

    Use: ``partclone`` is the program that captures it (empty: none does); ``mount_type`` is a
    type for mount, ``read_only`` the options by which that writes nothing, not even a journal,
    ``driver`` another type whose driver mounts it. ``linux_root``: a Linux may have its root on it.
    """

    name: str
    mnemonic: str
    family: Family = Family.OTHER
    probed: tuple[str, ...] = ()
    old_names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    make: tuple[str, ...] = ()
    label_option: str = "-L"
    label_most: int = 0
    label_in: LabelIn = LabelIn.UTF8
    label_never: str = ""
    upper_label: bool = False
    uuid_option: str = ""
    least_bytes: int = 0
    most_bytes: int = 0
    check: tuple[str, ...] = ()
    check_sound: tuple[int, ...] = (0,)
    check_repaired: tuple[int, ...] = ()
    grow: Grow = Grow.NEVER
    shrink: Shrink = Shrink.NEVER
    marks: tuple[Mark, ...] = ()
    superblocks: tuple[int, ...] = (0,)
    spare_boot_sector: bool = False
    left: tuple[Left, ...] = ()
    types: tuple[str, ...] = ()
    holder: str = ""
    encrypted: bool = False
    partclone: str = ""
    mount_type: str = ""
    read_only: str = "ro"
    driver: str = ""
    linux_root: bool = False

    @property
    def image_word(self) -> str:
        """partclone's word for it, as it stands in the header of an image."""
        return self.words[0] if self.words else self.mnemonic

    def is_in(self, head: bytes) -> bool:
        """Whether what begins with ``head`` carries a mark of this kind."""
        return any(mark.is_in(head) for mark in self.marks)

    def is_on(self, read_at: Callable[[int, int], bytes]) -> bool:
        """The same of what ``read_at(offset, size)`` gives."""
        return any(read_at(mark.at, len(mark.magic)) == mark.magic for mark in self.marks)
