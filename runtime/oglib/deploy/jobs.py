# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as values, the same whoever gives them: a person, a netboot entry, a server.

``as_dict`` and ``from_dict`` carry one as JSON: ``{"work": "restore", "image": "debian", …}``; what
is left out is as the class says. A netboot entry says the same in words, ``ogjob=boot:1:2``
(``netboot``). Both may come over a network that anybody may write to: each
word is typed, and none is a path, an address or an option unless the job is this PC's own. What
must stay secret is no part of a job: the upload token of a capture is read from its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Literal, cast, get_args, get_type_hints

from oglib.deploy.opening.reference import CACHE, is_path
from oglib.errors import UsageError
from oglib.image.format.manifest import check_name
from oglib.settings import NAME_PART
from oglib.transfer.choose import wanted
from oglib.wording.nearest import meant

_DISK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@=+-]{0,63}", re.ASCII)
_PART = re.compile(r"[1-9][0-9]{0,2}|PARTUUID=[0-9A-Fa-f-]{8,36}", re.ASCII)
_VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_MOST_CHARS, _MOST_ITEMS = 4096, 256


@dataclass(frozen=True, slots=True)
class Deploy:
    """Partition, restore and fit to this PC. Empty: no ``layout``; ``hostname`` as it is.

    ``method``: how the image comes, as in UNICAST-CACHE (``transfer.choose``), empty: as this boot
    says, else straight from where it is. ``fallback``: whether another way may be taken.
    """

    image: str
    disk: str
    part: str
    layout: str = ""
    hostname: str = ""
    read_back: bool = True
    method: str = ""
    fallback: bool = True


@dataclass(frozen=True, slots=True)
class Restore:
    """Put an image back as it was captured.

    ``part`` None: that of a whole disk, of which ``parts`` takes some partitions alone, or of a
    filesystem that is alone on its disk or volume. ``grow`` and ``set_type`` are for a partition,
    ``keep_size`` for a whole disk. ``method`` and ``fallback``: as in a deployment, of a partition.
    """

    image: str
    disk: str
    part: str | None = None
    parts: tuple[int, ...] = ()
    read_back: bool = True
    delta: bool = False
    grow: bool = False
    set_type: bool = False
    keep_size: bool = False
    other_firmware: bool = False
    method: str = ""
    fallback: bool = True


@dataclass(frozen=True, slots=True)
class Create:
    """Capture into the repository, or to ``destination``. ``part`` None: the whole disk.

    ``format`` and what follows it is for one partition.
    """

    image: str
    disk: str
    part: str | None = None
    destination: str = ""
    title: str = ""
    comment: str = ""
    parent: str = ""
    format: str = ""
    raw: bool = False
    dirty: bool = False
    shrink: bool = False


@dataclass(frozen=True, slots=True)
class UpdateCache:
    """Bring an image of the repository into the cache."""

    image: str


@dataclass(frozen=True, slots=True)
class Configure:
    """Fit the system on a partition to this PC. Empty: ``hostname`` as it is, all ``steps``."""

    disk: str
    part: str
    hostname: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adapt:
    """Give the system on a partition an initramfs for this PC's disk, or for any PC."""

    disk: str
    part: str
    hardware: Literal["this", "any"] = "this"


@dataclass(frozen=True, slots=True)
class Partition:
    """Write the partitions of a layout."""

    disk: str
    layout: str
    replace_damaged: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """What this PC consists of, or what is on one of its partitions; changes nothing."""

    what: Literal["hardware", "os", "software"] = "hardware"
    disk: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Boot:
    """Start the system on a partition. Empty ``how``: as this PC starts it best."""

    disk: str
    part: str
    how: Literal["", "kexec", "firmware"] = ""


Job = Deploy | Restore | Create | UpdateCache | Configure | Adapt | Partition | Inventory | Boot

WORKS: dict[str, type[Job]] = {
    "deploy": Deploy,
    "restore": Restore,
    "create": Create,
    "update_cache": UpdateCache,
    "configure": Configure,
    "adapt": Adapt,
    "partition": Partition,
    "inventory": Inventory,
    "boot": Boot,
}
_WORK_OF = {kind: work for work, kind in WORKS.items()}


def as_dict(job: Job) -> dict[str, object]:
    """JSON-able; ``from_dict`` makes the same job of it."""
    data: dict[str, object] = {"work": _WORK_OF[type(job)]}
    for name, value in asdict(job).items():
        data[name] = list(value) if isinstance(value, tuple) else value
    return data


def from_dict(data: object, *, own: bool = False) -> Job:
    """The job that ``data`` says; ``UsageError`` for a word that is unknown, or of another type.

    ``own``: this PC's own, which may name paths and addresses.
    """
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise UsageError("A job is an object of names and values.")
    given = dict(data)
    work = given.pop("work", None)
    kind = WORKS.get(work) if isinstance(work, str) else None
    if kind is None:
        raise UsageError(
            f"There is no work {str(work)[:80]!r}.", hint=f"There are {', '.join(WORKS)}."
        )
    make = cast(Callable[..., Job], kind)
    types = get_type_hints(kind)
    for name in given:
        if name not in types:
            raise UsageError(
                f"The work {work} knows no {name[:80]!r}.", hint=meant(name[:80], types).strip()
            )
    values = {name: _typed(name, value, types[name]) for name, value in given.items()}
    for one in fields(kind):
        if one.default is MISSING and one.name not in values:
            raise UsageError(f"The work {work} lacks its {one.name}.")
    job = make(**values)
    if not own:
        _refuse_foreign_words(job)
    return job


def _typed(name: str, value: object, wanted: object) -> object:
    """``value`` where it is what a field of a job may hold."""
    items = value if isinstance(value, list) and len(value) <= _MOST_ITEMS else None
    if wanted == tuple[int, ...]:
        if items is not None and all(type(one) is int and one > 0 for one in items):
            return tuple(items)
    elif wanted == tuple[str, ...]:
        if items is not None and all(
            isinstance(one, str) and len(one) <= _MOST_CHARS for one in items
        ):
            return tuple(items)
    elif wanted is bool:
        if isinstance(value, bool):
            return value
    elif isinstance(value, str) and len(value) <= _MOST_CHARS:
        if wanted is str or str in get_args(wanted) or value in get_args(wanted):
            return value
    elif value is None and type(None) in get_args(wanted):
        return None
    raise UsageError(f"{str(value)[:80]!r} is no {name} of a job.")


def _refuse_foreign_words(job: Job) -> None:
    """Raise where a job from elsewhere names what is not for others to name."""
    for name, check in _CHECKS.items():
        value = getattr(job, name, None)
        if value and not (name == "image" and isinstance(job, Create)):
            check(value)
    if isinstance(job, Create):
        check_image_name(job.image)


def check_image(text: str) -> str:
    """The name of an image in the repository, with ``@VERSION`` where one is meant.

    Or ``CACHE:NAME``, what this PC's cache holds of it.
    """
    name, at, version = text.partition("@")
    if at and not _VERSION.fullmatch(version):
        raise UsageError(f"{text!r} names no version, as NAME@3 does.")
    check_image_name(name.removeprefix(CACHE))
    return text


def check_image_name(text: str) -> str:
    """``text`` where it is the name of an image in the repository, and no file's."""
    if is_path(text):
        raise UsageError(f"{text!r} is the name of a file, not of an image in the repository.")
    return check_name(text)


def check_disk(text: str) -> str:
    if not _DISK.fullmatch(text):
        raise UsageError(f"{text!r} names no disk.")
    return text


def check_part(text: str) -> str:
    if not _PART.fullmatch(text):
        raise UsageError(f"{text!r} names no partition.")
    return text


def check_layout(text: str) -> str:
    if not NAME_PART.fullmatch(text):
        raise UsageError(f"{text!r} is not the name of a layout in the repository.")
    return text


def _method(text: str) -> str:
    return str(wanted(text))


def _destination(text: str) -> str:
    raise UsageError(f"{text!r}: a job from elsewhere captures into this PC's own repository.")


_CHECKS: dict[str, Callable[[str], str]] = {
    "image": check_image,
    "disk": check_disk,
    "part": check_part,
    "layout": check_layout,
    "method": _method,
    "parent": check_image_name,
    "destination": _destination,
}
