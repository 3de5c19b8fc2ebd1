# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads `[entries.X]` and `[states.X]`."""

from __future__ import annotations

import re

from ognetboot.inventory import checks
from ognetboot.inventory.entries import (
    BUILT_IN,
    CURRENT,
    LOCAL_DISK,
    Entry,
    Kind,
    Profile,
    Variant,
)
from ognetboot.inventory.fields import Table
from ognetboot.inventory.job_reading import LAST_PARTITION, read_job
from ognetboot.inventory.model import State, System

_MOST_DISKS = 32
_TEMPLATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
# Which keys mean something for which kind; every kind has a title, a password and a place.
_OF_OGLIVE = ("profile", "version", "variant", "admin", "console", "args", "job")
_OF_SYSTEM = ("disk", "partition")
_OF_CUSTOM = ("template",)
_MEANT_FOR = {
    **dict.fromkeys(_OF_OGLIVE, Kind.OGLIVE),
    **dict.fromkeys(_OF_SYSTEM, Kind.SYSTEM),
    **dict.fromkeys(_OF_CUSTOM, Kind.CUSTOM),
}


def read_entries(top: Table, *, allow_test: bool) -> list[tuple[Table, Entry]]:
    """What the file says."""
    return [(t, _entry(n, t, allow_test=allow_test)) for n, t in top.tables("entries")]


def with_local_disk(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The same with the local disk, first where nobody wrote it."""
    if LOCAL_DISK in {e.name for e in entries}:
        return entries
    return (Entry(LOCAL_DISK, Kind.LOCALDISK), *entries)


def check_name(table: Table, name: str) -> None:
    """A fault where the name of a table is none."""
    try:
        checks.name(name)
    except ValueError as error:
        table.error("name", str(error))


def _entry(name: str, table: Table, *, allow_test: bool) -> Entry:
    check_name(table, name)
    usual = Kind.LOCALDISK if name == LOCAL_DISK else Kind.OGLIVE
    kind = table.choice("kind", Kind) or usual
    # A name of OpenGnsys keeps its meaning when it gets a title of the site's own.
    old = next((e for e in BUILT_IN if e.name == name), None)
    if old is not None and not table.has("kind"):
        kind = old.kind
    title = table.required("title", checks.title)
    known = not table.wrong("kind")
    if (name == LOCAL_DISK) != (kind is Kind.LOCALDISK) and old is None and known:
        table.error(
            "kind",
            f"the entry `{LOCAL_DISK}` and the kind `{Kind.LOCALDISK}` belong together",
            hint="there is one local disk: name it so, and nothing else",
        )
    for key, meant in _MEANT_FOR.items():
        if not known:
            table.value(key)
        elif kind is not meant:
            table.refuse(key, f"means nothing for the kind `{kind}`, only for `{meant}`")
    is_oglive = kind is Kind.OGLIVE and known
    oglive = _oglive(table, allow_test=allow_test) if is_oglive else Entry(name, kind)
    given = old if old is not None and old.kind is kind else oglive
    partition = table.integer("partition", low=1, high=LAST_PARTITION)
    template = table.text("template", _template)
    if kind is Kind.CUSTOM and not table.has("template"):
        table.error("template", "is missing", hint="name the site's file that the entry shows")
    entry = Entry(
        name=name,
        kind=kind,
        title=title,
        profile=oglive.profile,
        version=oglive.version,
        variant=oglive.variant,
        admin=table.flag("admin", given.admin),
        console=oglive.console,
        args=oglive.args or given.args,
        job=oglive.job,
        disk=table.integer("disk", low=1, high=_MOST_DISKS) or 1,
        partition=partition or given.partition,
        template=template,
        password=table.flag("password", False),
        # A job writes to disks: it is not one key away in a menu unless somebody says so.
        in_menu=table.flag("in_menu", oglive.job is None),
    )
    table.finish()
    return entry


def _oglive(table: Table, *, allow_test: bool) -> Entry:
    """What only an entry of ogLive says."""
    profile = table.choice("profile", Profile) or Profile.DEFAULT
    if profile is not Profile.DEFAULT and not allow_test:
        table.error(
            "profile",
            f"`{profile}` has an open root console and is not served",
            hint="render with --test on a test network, or choose another profile",
        )
    job_table = table.table("job")
    job = read_job(job_table) if job_table else None
    return Entry(
        name="",
        kind=Kind.OGLIVE,
        profile=profile,
        version=table.text("version", checks.name, CURRENT),
        variant=table.choice("variant", Variant) or Variant.TWO_STAGE,
        console=table.texts("console", checks.console),
        args=table.texts("args", checks.argument),
        job=job,
    )


def _template(text: str) -> str:
    if not _TEMPLATE.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a file without folders")
    return text


def read_states(top: Table) -> list[tuple[Table, State]]:
    """How disks are to look."""
    return [(table, _state(name, table)) for name, table in top.tables("states")]


def _state(name: str, table: Table) -> State:
    check_name(table, name)
    title = table.text("title", checks.title, name)
    layout = table.text("layout", checks.name)
    tables = table.list_of_tables("systems", f"{table.where} systems")
    systems = [(one, _system(one)) for one in tables]
    taken: dict[tuple[str, int], str] = {}
    marked = ""
    for one, system in systems:
        if system is None:
            continue
        first = taken.setdefault((system.disk, system.partition), one.where)
        if first != one.where:
            one.error("partition", f"{system.partition} of disk {system.disk} is that of {first}")
        if system.default and marked:
            one.error(
                "default",
                f"{marked} is the default already",
                hint="a PC starts one system by itself: leave one `default = true`",
            )
        elif system.default:
            marked = one.where
    table.finish()
    return State(name, title, layout, tuple(s for _, s in systems if s is not None))


def _system(table: Table) -> System | None:
    disk = table.word("disk", checks.disk) if table.has("disk") else "1"
    partition = table.integer("partition", low=1, high=LAST_PARTITION)
    if not table.has("partition"):
        table.error("partition", "is missing", hint="add `partition = 1`, counted from 1")
    image = table.required("image", checks.image_version)
    title = table.text("title", checks.title, (image or "").partition("@")[0])
    default = table.flag("default", False)
    if image is not None and "@" not in image:
        table.warn(
            "image",
            f"{image!r} names no version, so that the state is another one after each capture",
            hint=f'name it as in "{image}@3"',
        )
    table.finish()
    if disk is None or partition is None or image is None:
        return None
    return System(disk, partition, image, title, default)
