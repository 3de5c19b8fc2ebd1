# SPDX-License-Identifier: GPL-3.0-or-later
"""A layout: the partitions someone wants, as written in a TOML or JSON file.

Owns the file format (design §4) and its errors; knows no disk. Example::

    {"table": "gpt", "partitions": [
        {"type": "EFI", "size": "256MiB"},
        {"type": "LINUX", "size": "rest", "name": "root"},
        {"type": "LINUX-SWAP", "size": "2GiB"}]}

Sizes are bytes (a number), ``KiB MiB GiB TiB``, ``%`` of the usable space, or ``rest``. On an
``msdos`` table an ``EXTENDED`` entry holds its logical partitions under ``partitions``. A
partition stays with ``"keep": true`` and its ``number`` or ``partuuid`` (then a ``number`` is the
one it gets when the table is converted). The CACHE stays unless the layout says
``{"type": "CACHE", "keep": false}``: with a ``size`` a new one is made, without there is none.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.disk import types
from oglib.disk.model import PRIMARY_SLOTS, TableKind
from oglib.disk.tables.gpt import NAME_UNITS
from oglib.errors import NotFoundError, UsageError
from oglib.texts import NotPlainError, TooLargeError, read_whole

_UNITS = {"B": 0, "KIB": 1, "MIB": 2, "GIB": 3, "TIB": 4, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"^(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z]+|%)?$")
_MOST_DOTS = 4096  # the TOML reader copies all of a name a.b.c for each of its parts
_MOST_ENTRIES = 512
_KEYS = {"type", "size", "keep", "name", "number", "partuuid", "active", "partitions"}
# of a gpt, or of an msdos table (disk id and number)
_PARTUUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^[0-9a-f]{8}-[0-9a-f]{2}$")


@dataclass(frozen=True, slots=True)
class Size:
    """How big a partition shall be: exactly one of the three is set."""

    bytes: int = 0
    percent: float = 0.0
    rest: bool = False


@dataclass(frozen=True, slots=True)
class LayoutPartition:
    """One partition of a layout. ``keep`` None: kept when it is there (the cache's default).

    The type of a partition to keep may stay UNKNOWN: whatever it is, it stays. A CACHE with
    neither ``keep`` nor a size is no partition: it says that the present one may go.
    """

    type: str
    size: Size | None = None
    keep: bool | None = False
    name: str | None = None
    number: int | None = None
    partuuid: str = ""
    active: bool = False
    logical: tuple[LayoutPartition, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """The table kind and the partitions in the order they shall lie on the disk."""

    table: TableKind
    partitions: tuple[LayoutPartition, ...]


def load_layout(path: Path) -> Layout:
    """Read a layout file; ``.toml`` is TOML, anything else JSON or, failing that, TOML."""
    try:
        text = read_whole(path, limits.LAYOUT_BYTES).decode()
    except (TooLargeError, NotPlainError) as error:
        raise UsageError(f"{path} is no layout: {error.message}") from error
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no layout file {path}.",
            hint="The name of a layout in the repository is written without .json, as in uefi.",
        ) from None
    except OSError as error:
        raise UsageError(f"The layout file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no layout: it is not a text in UTF-8.") from None
    return parse_layout(text, name=str(path))


def parse_layout(text: str, *, name: str = "layout") -> Layout:
    """The layout in ``text`` (JSON when it begins with a brace, otherwise TOML)."""
    is_json = text.lstrip().startswith("{")
    if len(text) > limits.LAYOUT_BYTES or (not is_json and text.count(".") > _MOST_DOTS):
        raise UsageError(f"{name} is no layout: it holds more than one can.")
    try:
        raw = json.loads(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also digits or brackets without end
        raise UsageError(f"{name} is neither valid JSON nor TOML: {error}.") from error
    return layout_from(raw, name=name)


def layout_from(raw: object, *, name: str = "layout") -> Layout:
    """The layout in plain data; raises UsageError that names the entry that is wrong."""
    if not isinstance(raw, Mapping):
        raise UsageError(f"{name} must be one object with 'table' and 'partitions'.")
    _no_others(raw, {"table", "partitions"}, name)
    table = str(raw.get("table", "gpt")).lower()
    table = "msdos" if table in ("mbr", "dos") else table
    if table not in (TableKind.GPT, TableKind.MSDOS):
        raise UsageError(f"{name}: table must be gpt or msdos, not {raw.get('table')!r}.")
    entries = _list(raw.get("partitions"), f"{name}: partitions")
    kind = TableKind(table)
    wanted = tuple(
        _wanted(entry, kind, f"{name}: partition {at}", logical=False)
        for at, entry in enumerate(entries, start=1)
    )
    _check_whole(wanted, kind, name)
    return Layout(kind, wanted)


def parse_size(value: object, where: str) -> Size:
    """``268435456``, ``"256MiB"``, ``"25%"`` or ``"rest"``."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63:
        return Size(bytes=value)
    text = str(value).strip()
    if text.lower() == "rest":
        return Size(rest=True)
    found = _SIZE.match(text) if isinstance(value, str) else None
    if found and float(found.group(1)) > 0:
        number, unit = float(found.group(1)), (found.group(2) or "B").upper()
        if unit == "%" and number <= 100:
            return Size(percent=number)
        if unit in _UNITS:
            # whole numbers are kept exact: a float holds 53 bits only
            factor = 1024 ** _UNITS[unit]
            exact = int(found.group(1)) * factor if "." not in found.group(1) else 0
            return Size(bytes=exact or int(number * factor))
    raise UsageError(
        f"{where}: {value!r} is not a size.",
        hint="Write bytes, a number with KiB, MiB, GiB or TiB, a percentage, or 'rest'.",
    )


def _wanted(raw: object, table: TableKind, where: str, *, logical: bool) -> LayoutPartition:
    if not isinstance(raw, Mapping):
        raise UsageError(f"{where} must be an object like {{'type': 'LINUX', 'size': 'rest'}}.")
    _no_others(raw, _KEYS, where)
    if "type" not in raw and raw.get("keep") is not True:
        raise UsageError(f"{where} has no type.")
    kind = types.canonical(str(raw["type"]), table) if "type" in raw else types.UNKNOWN
    keep = _keep(raw, kind, where)
    size = parse_size(raw["size"], where) if "size" in raw else None
    children = _children(raw, kind, table, where, logical=logical)
    may_lack_size = kind == types.EXTENDED or (kind == types.CACHE and keep is False)
    if size is None and keep is not True and not may_lack_size:
        raise UsageError(f"{where} ({kind}) has no size.", hint="Give it a size, or 'rest'.")
    name = raw.get("name")
    if name is not None:
        name = _name(name, table, where)
    number = raw.get("number")
    if number is not None and (not isinstance(number, int) or not 1 <= number <= 128):
        raise UsageError(f"{where}: number must be between 1 and 128, not {number!r}.")
    return LayoutPartition(
        type=kind,
        size=size,
        keep=keep,
        name=name,
        number=number,
        partuuid=_partuuid(raw, keep, where),
        active=_flag(raw, "active", where),
        logical=children,
    )


def _keep(raw: Mapping[str, object], kind: str, where: str) -> bool | None:
    if "keep" not in raw:
        return None if kind == types.CACHE else False
    return _flag(raw, "keep", where)


def _partuuid(raw: Mapping[str, object], keep: bool | None, where: str) -> str:
    if "partuuid" not in raw:
        return ""
    text = str(raw["partuuid"]).lower()
    if keep is not True:
        raise UsageError(f"{where}: a partuuid names a partition to keep; say 'keep': true.")
    if not _PARTUUID.fullmatch(text):
        raise UsageError(f"{where}: {raw['partuuid']!r} is not a PARTUUID.")
    return text


def _children(
    raw: Mapping[str, object], kind: str, table: TableKind, where: str, *, logical: bool
) -> tuple[LayoutPartition, ...]:
    if kind != types.EXTENDED:
        if "partitions" in raw:
            raise UsageError(f"{where}: only an EXTENDED partition holds others.")
        return ()
    if logical:
        raise UsageError(f"{where}: an EXTENDED partition cannot lie inside another.")
    entries = _list(raw.get("partitions", []), f"{where}: partitions")
    return tuple(
        _wanted(entry, table, f"{where}, logical {at}", logical=True)
        for at, entry in enumerate(entries, start=1)
    )


def _check_whole(wanted: tuple[LayoutPartition, ...], table: TableKind, name: str) -> None:
    if table is not TableKind.MSDOS:
        return
    if sum(entry.type == types.EXTENDED for entry in wanted) > 1:
        raise UsageError(f"{name}: an msdos table has at most one EXTENDED partition.")
    primary = [one for one in wanted if one.size or one.keep or one.type == types.EXTENDED]
    if len(primary) > PRIMARY_SLOTS:
        raise UsageError(
            f"{name}: an msdos table has {PRIMARY_SLOTS} places, not {len(primary)}.",
            hint="Put the further partitions under 'partitions' of an EXTENDED one, or use gpt.",
        )
    if sum(entry.active for entry in wanted) > 1:
        raise UsageError(f"{name}: only one partition can be active.")
    for entry in wanted:
        if any(child.keep for child in entry.logical) and not entry.keep:
            raise UsageError(
                f"{name}: a logical partition can be kept only where its EXTENDED one is kept."
            )
        if any(child.active for child in entry.logical) or (entry.logical and entry.active):
            raise UsageError(f"{name}: only a primary partition can be active.")
        if entry.number is not None and entry.number > PRIMARY_SLOTS:
            raise UsageError(f"{name}: {entry.number} is the number of a logical partition.")


def _name(name: object, table: TableKind, where: str) -> str:
    if table is not TableKind.GPT:
        raise UsageError(f"{where}: only partitions of a gpt table have names.")
    text = str(name)
    if len(text.encode("utf-16-le")) // 2 > NAME_UNITS or not text.isprintable():
        raise UsageError(f"{where}: a name is at most {NAME_UNITS} printable characters.")
    return text


def _flag(raw: Mapping[str, object], key: str, where: str) -> bool:
    value = raw.get(key, False)
    if not isinstance(value, bool):
        raise UsageError(f"{where}: {key} must be true or false, not {value!r}.")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise UsageError(f"{where} must be a list.")
    if len(value) > _MOST_ENTRIES:
        raise UsageError(f"{where} has {len(value)} entries, more than a table can hold.")
    return value


def _no_others(raw: Mapping[str, object], known: set[str], where: str) -> None:
    others = sorted(str(key) for key in set(raw) - known)
    if others:
        raise UsageError(
            f"{where}: unknown key {', '.join(others)}.",
            hint=f"Known keys: {', '.join(sorted(known))}.",
        )
