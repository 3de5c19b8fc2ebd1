# SPDX-License-Identifier: GPL-3.0-or-later
"""``og cache create|format|mount|umount|list|add|update|evict|delete|check|pin|unpin``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from oglib.cache.find import CachePartition, find_cache, require_cache
from oglib.cache.model import Entry, Verdict, WhenFull
from oglib.cache.partition import Places, plan_deletion
from oglib.cache.room import too_small
from oglib.cli.arguments import Subparsers, noun, verb
from oglib.cli.context import Context, Handler, Result
from oglib.deploy.jobs import UpdateCache
from oglib.deploy.library import cache as use
from oglib.deploy.library.update import Updated, necessity
from oglib.disk.find import find_disk
from oglib.disk.model import Disk
from oglib.disk.planning.layout import parse_size
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import list_disks
from oglib.errors import OgError, UsageError
from oglib.views.output import table
from oglib.wording.amounts import human_bytes


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "cache", "the local store of images")
    create = verb(verbs, "create", _create, "make the cache's partition", destroys=True)
    create.add_argument("size", metavar="SIZE", help="such as 20GiB; a plain number is bytes")
    create.add_argument("--disk", default="", help="default: where the cache is, or disk 1")
    create.add_argument("--part", type=int, default=None, help="the partition's number")
    verb(verbs, "format", _format, "empty the cache", destroys=True)
    delete = verb(verbs, "delete", _delete, "remove the cache's partition", destroys=True)
    delete.add_argument("--disk", default="", help="which one, where a PC has several")
    verb(verbs, "mount", _mount, "mount the cache and leave it mounted")
    verb(verbs, "umount", _umount, "unmount the cache")
    verb(verbs, "list", _list, "what is in the cache and how much room is left")
    add = verb(verbs, "add", _add, "store a local image")
    add.add_argument("file", metavar="FILE", type=Path, help="NAME.img, with its companions")
    add.add_argument("name", metavar="NAME", nargs="?", default="", help="default: the file's name")
    update = verb(verbs, "update", _update, "bring an image into the cache", repository=True)
    update.add_argument("image", metavar="IMAGE", help="its name, or its http address")
    update.add_argument("--check", action="store_true", help="only say whether it is needed")
    update.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    evict = verb(verbs, "evict", _evict, "delete an image, or as many as needed", destroys=True)
    evict.add_argument("name", metavar="NAME", nargs="?", default="")
    evict.add_argument("--need", metavar="SIZE", default="", help="free so much, least used first")
    check = verb(verbs, "check", _check, "find and remove what is damaged")
    check.add_argument("--deep", action="store_true", help="read every byte")
    for name, handler, text in (
        ("pin", _pin, "never evict this image"),
        ("unpin", _unpin, "let this image be evicted again"),
    ):
        _named(verbs, name, handler, text)


def _named(verbs: Subparsers, name: str, handler: Handler, text: str) -> argparse.ArgumentParser:
    made = verb(verbs, name, handler, text)
    made.add_argument("name", metavar="NAME", help="as `og cache list` shows it")
    return made


def _opened(context: Context, *, check: bool = False) -> AbstractContextManager[use.OpenCache]:
    places = Places.from_environment()
    return use.opened_cache(context.settings, places, check=check, tell=context.tell)


def _create(context: Context) -> Result:
    args = context.args
    disks = list_disks()
    cache = find_cache(disks)
    disk = _disk_for(context, cache, disks)
    plan = use.plan_making(disk, _bytes(args.size), number=args.part)
    done: dict[str, object] = {"changes": list(plan.changes), "notes": list(plan.notes)}
    if plan.nothing_to_change and cache is not None and cache.part.filesystem:
        return Result(done, "nothing to change")
    lines = [*plan.changes, *plan.notes, "format the cache"]
    use.check_free(disk, cache)
    if args.dry_run:
        return Result(done, "\n".join(lines))
    question = f"Make a cache on {disk.describe()}?"
    context.confirm(question, lambda: [*_contents(context, cache), *lines])
    made = use.make(plan, Places.from_environment(), tell=context.tell)
    done |= {"disk": made.disk.path, "part": made.part.number, "size_bytes": made.part.size_bytes}
    return Result(done, f"the cache is {made.describe()}, {human_bytes(made.part.size_bytes)}")


def _disk_for(context: Context, cache: CachePartition | None, disks: Sequence[Disk]) -> Disk:
    """The disk that was named; otherwise the one that has the cache, or the first."""
    if cache is not None and not context.args.disk:
        return cache.disk
    return find_disk(context.args.disk or "1", disks, context.settings.disk_rules)


def _bytes(text: str) -> int:
    size = parse_size(int(text) if text.isascii() and text.isdecimal() else text, "SIZE")
    if not size.bytes:
        raise UsageError(f"{text!r} is no size of its own.", hint="Write it as in 20GiB.")
    return size.bytes


def _format(context: Context) -> Result:
    cache = require_cache(list_disks())
    use.check_formattable(cache)
    question = f"Format {cache.describe()} as an empty cache?"
    if context.args.dry_run:
        return Result({"would": question.rstrip("?")}, question.rstrip("?"))
    context.confirm(question, lambda: _contents(context, cache))
    use.format_empty(Places.from_environment(), tell=context.tell)
    return Result({"formatted": True}, "the cache is empty")


def _delete(context: Context) -> Result:
    disks = list_disks()
    if context.args.disk:
        disks = (find_disk(context.args.disk, disks, context.settings.disk_rules),)
    cache = require_cache(disks)
    plan: TablePlan = plan_deletion(cache)
    said = {"changes": list(plan.changes)}
    use.check_free(cache.disk, cache)
    if context.args.dry_run:
        return Result(said, "\n".join(plan.changes))
    question = f"Delete the cache, {cache.describe()}?"
    context.confirm(question, lambda: [*_contents(context, cache), *plan.changes])
    use.remove(plan, Places.from_environment(), tell=context.tell)
    return Result(said, "\n".join(plan.changes))


def _contents(context: Context, cache: CachePartition | None) -> list[str]:
    """What a person would lose with the cache; nobody is asked about it under ``--yes``."""
    if cache is None or context.args.yes or not cache.part.filesystem:
        return []
    try:
        with _opened(context) as opened:
            entries = opened.store.entries()
    except OgError as error:
        return [f"the cache cannot be read: {error.message}"]
    return [
        f"image {entry.name}, {human_bytes(entry.size_bytes)}{', pinned' if entry.pinned else ''}"
        for entry in entries
    ] or ["the cache is empty"]


def _mount(context: Context) -> Result:
    point, recovered = use.mount(
        context.settings.keys_dir, Places.from_environment(), tell=context.tell
    )
    context.tell(recovered)
    return Result({"mountpoint": point, "recovered": list(recovered)}, str(point))


def _umount(context: Context) -> Result:
    was = use.unmount(Places.from_environment(), tell=context.tell)
    return Result({"unmounted": was}, "" if was else "the cache was not mounted")


def _list(context: Context) -> Result:
    with _opened(context) as cache:
        context.tell(cache.recovered)
        entries = cache.store.entries()
        free, size = cache.store.free_bytes(), cache.store.size_bytes()
        in_use = cache.store.in_use()
        begun = cache.store.leftovers()
    data = {
        "disk": cache.partition.disk.path,
        "part": cache.partition.part.number,
        "size_bytes": size,
        "free_bytes": free,
        "entries": [_data(entry) | {"in_use": entry.name in in_use} for entry in entries],
        "begun": [{"name": one.name, "size_bytes": one.size_bytes} for one in begun],
        "recovered": list(cache.recovered),
    }
    rows = [
        (
            entry.name,
            human_bytes(entry.size_bytes),
            entry.proof,
            "pinned" if entry.pinned else "",
            "in use" if entry.name in in_use else "",
            "damaged" if entry.damaged else "",
        )
        for entry in sorted(entries, key=lambda entry: entry.used, reverse=True)
    ]
    head = f"{cache.partition.describe()}: {human_bytes(free)} of {human_bytes(size)} free"
    lines = [head, table(rows, indent="  ") or "  no images"]
    lines += [f"  half fetched: {one.name}, {human_bytes(one.size_bytes)}" for one in begun]
    return Result(data, "\n".join(lines))


def _data(entry: Entry) -> dict[str, object]:
    plain = asdict(entry)
    plain["files"] = {} if entry.files is None else plain["files"]
    return plain


def _add(context: Context) -> Result:
    args = context.args
    policy = WhenFull(context.settings.action_cache_full)
    name = args.name or args.file.name.removesuffix(".img")
    places = Places.from_environment()
    with _opened(context) as cache:
        context.tell(cache.recovered)
        entry, said = use.add_file(cache, args.file, name, policy, places)
    context.tell(said)
    data = _data(entry) | {"evicted": list(said), "recovered": list(cache.recovered)}
    return Result(data, f"{entry.name}  {human_bytes(entry.size_bytes)}  {entry.proof}")


def _update(context: Context) -> Result:
    from oglib.cli.doing import do  # noqa: PLC0415 - only a job needs all of it

    if context.args.check:
        return _needed(context)
    doing = do(context, UpdateCache(context.args.image))
    if doing.finished is None:
        changes = list(doing.planned.changes)
        return Result({"changes": changes}, "\n".join(changes) or "nothing to change")
    done = doing.finished.done
    assert isinstance(done, Updated)  # noqa: S101 - for the type checker
    context.tell(done.said)
    data = _data(done.entry) | {
        "version": done.version,
        "changed": done.changed,
        "evicted": list(done.said),
        "recovered": list(done.recovered),
        "kept_bytes": done.kept_bytes,
        "copied_bytes": done.copied_bytes,
        "fetched_bytes": done.fetched_bytes,
    }
    if not done.changed:
        return Result(data, "nothing to change")
    there = done.kept_bytes + done.copied_bytes
    came = f"{human_bytes(done.fetched_bytes)} fetched"
    came += f", {human_bytes(there)} were there" if there else ""
    return Result(data, f"{done.entry.name}  version {done.version}  {done.entry.proof}  {came}")


def _needed(context: Context) -> Result:
    with _opened(context) as cache:
        context.tell(cache.recovered)
        found = necessity(context.args.image, cache, context.settings)
    word = "needed" if found.needed else "not needed"
    return Result(asdict(found), f"{word}: {found.why}")


def _evict(context: Context) -> Result:
    args = context.args
    if bool(args.name) == bool(args.need):
        raise UsageError("Say which image to evict, or how much --need there is.")
    with _opened(context) as cache:
        context.tell(cache.recovered)
        going = [args.name] if args.name else _going(cache, _bytes(args.need))
        entries = [cache.store.check_evictable(name) for name in going]
        lines = [f"evict {one.name}, {human_bytes(one.size_bytes)}" for one in entries]
        if going and not args.dry_run:
            context.confirm("Evict from the cache?", lambda: lines)
            for name in going:
                cache.store.evict(name)
        free = cache.store.free_bytes()
    data = {"evicted": going, "free_bytes": free, "recovered": list(cache.recovered)}
    return Result(data, "\n".join(lines) or "nothing to change")


def _going(cache: use.OpenCache, size_bytes: int) -> list[str]:
    room = cache.store.room_for(size_bytes)
    if room.verdict is Verdict.NEVER:
        raise too_small(cache.store, room)
    return list(room.evict)


def _check(context: Context) -> Result:
    with _opened(context, check=True) as cache:
        said = [*cache.recovered, *cache.store.check(deep=context.args.deep)]
        entries = cache.store.entries()
    end = f"{len(entries)} images are {'sound' if context.args.deep else 'whole'}"
    return Result({"done": said, "whole": [one.name for one in entries]}, "\n".join([*said, end]))


def _pin(context: Context) -> Result:
    return _pinned(context, pinned=True)


def _unpin(context: Context) -> Result:
    return _pinned(context, pinned=False)


def _pinned(context: Context, *, pinned: bool) -> Result:
    name = context.args.name
    with _opened(context) as cache:
        context.tell(cache.recovered)
        if pinned:
            cache.store.pin(name)
        else:
            cache.store.unpin(name)
    return Result({"name": name, "pinned": pinned}, f"{name} is {'' if pinned else 'not '}pinned")
