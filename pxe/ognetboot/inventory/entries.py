# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be started: entries of the menu, and the jobs that they may carry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# The entry that every inventory has, written or not: where every failure ends.
LOCAL_DISK = "localdisk"
# The version that the server's link of this name leads to.
CURRENT = "current"


class Kind(StrEnum):
    """What an entry starts. `menu`: nothing by itself, the menu waits for a person."""

    MENU = "menu"
    LOCALDISK = "localdisk"
    SYSTEM = "system"
    OGLIVE = "oglive"
    MEMTEST = "memtest"
    FIRMWARE = "firmware"
    CUSTOM = "custom"


class Profile(StrEnum):
    """Which build of ogLive; all but the default have an open console."""

    DEFAULT = "default"
    TEST = "test"
    DEBUG = "debug"


class Variant(StrEnum):
    """Small first stage that fetches the root, or the whole system in one initrd."""

    TWO_STAGE = "two-stage"
    ONE_FILE = "one-file"


class Work(StrEnum):
    """What a job does; the word is the one of `ogjob=`."""

    DEPLOY = "deploy"
    RESTORE = "restore"
    CREATE = "create"
    UPDATE_CACHE = "update_cache"
    CONFIGURE = "configure"
    ADAPT = "adapt"
    PARTITION = "partition"
    BOOT = "boot"
    INVENTORY = "inventory"


# Works on an image: in the inventory the word is the key of its name.
OF_IMAGES = (Work.DEPLOY, Work.RESTORE, Work.CREATE, Work.UPDATE_CACHE)


class After(StrEnum):
    """What a PC does when its job is done."""

    REBOOT = "reboot"
    POWEROFF = "poweroff"
    STAY = "stay"


class Section(StrEnum):
    """Under which heading of the menu an entry stands, in this order."""

    SYSTEMS = "systems"
    RESTORE = "restore"
    OGLIVE = "oglive"
    ADMINISTRATION = "administration"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work for a PC that needs no other server.

    `image` may end in `@VERSION`, but where one is created; None where the work needs none. `disk`
    is None where no disk is meant; `partition` None there, and where a whole disk is. `layout` is
    for deploying alone. `option` is the word behind all others: for which hardware to adapt, the
    layout to partition with, how to start a system; what to list comes before the disk.
    """

    work: Work
    image: str | None
    disk: str | None
    partition: int | None
    layout: str | None
    after: After
    option: str | None = None

    @property
    def words(self) -> str:
        """What `ogjob=` says: `WORK[:IMAGE][:DISK[:PARTITION]][:OPTION]`."""
        words: list[object] = [self.work, self.image, self.disk, self.partition]
        words.insert(1 if self.work is Work.INVENTORY else 4, self.option)
        return ":".join(str(word) for word in words if word is not None)

    @property
    def destructive(self) -> bool:
        """Whether it overwrites what is on the PC's disk, its cache apart."""
        return self.work in (Work.DEPLOY, Work.RESTORE, Work.PARTITION)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to start. `title` is None only for the local disk that nobody described.

    `disk` and `partition`, counted from 1, are those of a system; `partition` None: what the disk
    itself starts. `template` is a file of the site's for a custom entry. `password`: it is asked
    for, and the server judges it. `version` `current`: the one that the PC's scopes choose.
    """

    name: str
    kind: Kind
    title: str | None = None
    profile: Profile = Profile.DEFAULT
    version: str = CURRENT
    variant: Variant = Variant.TWO_STAGE
    admin: bool = False
    console: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    job: Job | None = None
    disk: int = 1
    partition: int | None = None
    template: str | None = None
    password: bool = False
    in_menu: bool = True

    @property
    def folder(self) -> str:
        """The folder of all its versions below the HTTP root."""
        return "oglive" if self.profile is Profile.DEFAULT else f"oglive-{self.profile}"

    def directory_of(self, chosen: str | None) -> str:
        """Where its artefacts lie there, e.g. `oglive/current`; `chosen`: the scopes' version."""
        chooses = self.version == CURRENT and self.profile is Profile.DEFAULT
        return f"{self.folder}/{chosen if chosen and chooses else self.version}"

    @property
    def section(self) -> Section:
        """The heading that it stands under in the menu."""
        if self.job is not None:
            return Section.RESTORE if self.job.destructive else Section.ADMINISTRATION
        if self.kind in (Kind.LOCALDISK, Kind.SYSTEM):
            return Section.SYSTEMS
        if self.kind in (Kind.MEMTEST, Kind.FIRMWARE) or self.admin:
            return Section.ADMINISTRATION
        return Section.OGLIVE


# The names that OpenGnsys gives, with what they mean there; an entry of the site's own of the same
# name comes before. None of them is in a menu: a PC is told to start one.
BUILT_IN = (
    Entry("menu", Kind.MENU, "Menu", in_menu=False),
    Entry("00unknown", Kind.LOCALDISK, "Not assigned: the PC's disk", in_menu=False),
    Entry("10", Kind.LOCALDISK, "Disk 1", in_menu=False),
    *(
        Entry(f"1{number}", Kind.SYSTEM, f"Disk 1, partition {number}", partition=number,
              in_menu=False)
        for number in (1, 2, 3)
    ),
    Entry("19pxeadmin", Kind.OGLIVE, "ogLive for administrators", admin=True,
          args=("ogdebug=true",), in_menu=False),
    Entry("pxe", Kind.OGLIVE, "ogLive", in_menu=False),
)  # fmt: skip
