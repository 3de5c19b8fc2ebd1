# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a filesystem stands in its row, and no other file has a table by their names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from oglib.disk import types
from oglib.disk.model import TableKind
from oglib.filesystem import used
from oglib.filesystem.kind import Family, Grow, Kind
from oglib.filesystem.kinds import (
    HEAD_BYTES,
    KINDS,
    kind_in_image,
    kind_marked,
    kind_of,
    kind_of_boot_sector,
)
from oglib.filesystem.structures import superblock
from oglib.image.writing.guard import GUARD_BYTES, decisive_sector, seal_spans
from oglib.image.writing.shape import Shape
from unit.sources import RUNTIME, trees

TABLE = "oglib/filesystem/kinds.py"
GPT, MSDOS = TableKind.GPT, TableKind.MSDOS
NAMES = {
    word.lower()
    for kind in KINDS.values()
    for word in (kind.name, kind.mnemonic, *kind.probed, *kind.old_names, *kind.words)
} | {"vfat", "ntfs3", *(kind.mount_type for kind in KINDS.values() if kind.mount_type)}
# What may name several, and why. (file, name it is assigned to or function it stands in)
EXCEPTIONS = {
    ("oglib/disk/types.py", "_MBR"): "types of a partition table, some called like filesystems",
    ("oglib/disk/types.py", "_GPT"): "types of a partition table, some called like filesystems",
    ("oglib/disk/types.py", "_ASKED_AS"): "types of one table under the names of the other",
    ("oglib/disk/types.py", "HIDDEN"): "types of a partition table, shown and hidden",
    ("oglib/boot/loaders.py", "_MODULES"): "GRUB's own modules, some called like filesystems",
    ("oglib/disk/planning/old_layouts.py", "_NEVER_FORMATTED"): "Configurar's own list of types",
    ("oglib/shim/configuration.py", "_NO_FILES"): "ogGetFsType's words for what holds no files",
}


def words_of(node: ast.AST) -> list[str]:
    """The texts of a literal table: its keys or its elements; of ``match`` all its cases."""
    match node:
        case ast.Dict(keys=keys):
            found: list[ast.AST] = [key for key in keys if key is not None]
        case ast.Set(elts=elements) | ast.Tuple(elts=elements) | ast.List(elts=elements):
            found = list(elements)
        case ast.Match(cases=cases):
            found = [
                one.value
                for case in cases
                for one in ast.walk(case.pattern)
                if isinstance(one, ast.MatchValue)
            ]
        case ast.BoolOp(values=values):
            found = [one for value in values for one in ast.walk(value)]
        case _:
            return []
    return [
        one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def tables(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every table that names two filesystems or more: where it stands, and the names."""
    for node in ast.iter_child_nodes(tree):
        where = inside
        if isinstance(node, ast.FunctionDef):
            where = node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not inside:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            where = target.id if isinstance(target, ast.Name) else ""
        named = sorted({word for word in words_of(node) if word.lower() in NAMES})
        if len(named) > 1:
            yield where, named
        yield from tables(node, where)


def test_no_other_file_has_a_table_of_filesystems() -> None:
    some = "(?i)" + "|".join(map(re.escape, NAMES))
    found = [
        (name, where, words)
        for package in ("oglib", "ogrepo")
        for name, tree in trees(package, saying=some)
        for where, words in tables(tree)
        if name != TABLE and (name, where) not in EXCEPTIONS
    ]
    assert found == []


def test_every_exception_is_still_needed() -> None:
    there = {
        (name, where)
        for name in {name for name, _ in EXCEPTIONS}
        for where, _ in tables(ast.parse((RUNTIME / name).read_text()))
    }
    assert there >= set(EXCEPTIONS)


@pytest.mark.parametrize(
    "text",
    [
        'X = {"ext4": 1, "xfs": 2}',
        'X = ("vfat", "FAT32")',
        'def f(k):\n    return k in {"ntfs", "exfat"}',
        'def f(k):\n    match k:\n        case "ext4" | "xfs":\n            return 1',
        'def f(k):\n    return k == "ext2" or k == "ext3"',
        'X = dict.fromkeys(("EXTFS", "BTRFS"))',
    ],
)
def test_a_second_table_is_seen(text: str) -> None:
    assert list(tables(ast.parse(text)))


MADE = [kind for kind in KINDS.values() if kind.make]
CAPTURED = [kind for kind in KINDS.values() if kind.partclone]
MARKED = [kind for kind in KINDS.values() if kind.marks]


def lacking(kind: Kind) -> list[str]:
    """What a kind must have before it is captured, and this one does not."""
    needs = {
        "marks: a raw copy of it would not be known": kind.marks,
        "types: any partition type would do": kind.types,
        "mount_type: no system on it could be looked into": kind.mount_type,
        "used: partclone alone is not believed": kind.family in used._READERS,
        "superblock: a copy that is cut off would not be seen": kind.family in superblock._READERS,
    }
    return [need for need, there in needs.items() if not there]


@pytest.mark.parametrize("kind", CAPTURED, ids=lambda kind: kind.name)
def test_what_is_captured_lacks_nothing(kind: Kind) -> None:
    assert lacking(kind) == []


def test_the_next_one_is_one_row_and_a_reader() -> None:
    """NILFS2: partclone has a program; what is left to write is who reads its used blocks."""
    row = replace(KINDS["nilfs2"], partclone="partclone.nilfs2")
    assert lacking(row) == ["used: partclone alone is not believed"]


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.name)
def test_what_is_made_has_its_place(kind: Kind) -> None:
    assert kind.types
    assert kind.marks
    assert kind.mount_type or kind.holder
    assert kind.least_bytes or kind.name == "hfsplus"  # made by a tool that Debian no longer has


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_name_leads_to_its_row(kind: Kind) -> None:
    assert all(
        kind_of(word) is kind for word in (kind.name, kind.mnemonic, *kind.probed, *kind.old_names)
    )
    shared = [one for one in KINDS.values() if one.image_word == kind.image_word]
    assert kind_in_image(kind.image_word) is shared[-1]
    assert kind_in_image(kind.mnemonic) is kind
    assert kind.image_word == kind.image_word.strip()
    assert (kind.grow is Grow.NEVER) == (kind.grow.tool == "")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_its_partition_types_are_types(kind: Kind) -> None:
    known = {*types.names(MSDOS), *types.names(GPT)}
    assert set(kind.types) <= known
    if kind.types:
        assert all(types.canonical(kind.types[0], table) for table in (GPT, MSDOS))


@pytest.mark.parametrize("kind", MARKED, ids=lambda kind: kind.name)
def test_its_mark_tells_it_and_is_in_the_seal(kind: Kind) -> None:
    for mark in kind.marks:
        assert mark.at + len(mark.magic) <= HEAD_BYTES
        head = bytes(mark.at) + mark.magic
        found = kind_marked(head)
        assert found is not None
        assert found.family is kind.family
        assert found.image_word == kind.image_word
        shape = Shape(kind.name, kind.image_word.upper(), 1 << 30, 1 << 30, 512, 1 << 20)
        seals = seal_spans(shape)
        assert any(span.start <= mark.at < span.end for span in seals)
        if not kind.holder:
            last = decisive_sector(shape)
            assert last.start <= mark.at < last.end, "it would be known before it is whole"
    assert all(at < GUARD_BYTES for at in kind.superblocks)


def test_what_has_no_name_is_sealed_wherever_a_superblock_may_be() -> None:
    seals = seal_spans(Shape("disk", "", 1 << 30, 1 << 30, 512, 1 << 20))
    assert all(
        any(span.start <= at < span.end for span in seals)
        for kind in KINDS.values()
        for at in kind.superblocks
    )


def test_a_family_is_read_by_one_reader() -> None:
    families = {kind.family for kind in KINDS.values()}
    assert families == set(Family)
    assert set(used._READERS) | set(superblock._READERS) <= families


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ((3, b"-FVE-FS-"), (82, b"FAT32   "), "bitlocker"),  # as Windows 7 writes it
        ((0x438, b"\x53\xef"), (0x400, b"H+"), "ext2"),  # an ext with such a number of inodes
        ((0x438, b"\x53\xef"), (0x218, b"LVM2 001"), "ext2"),  # in the room for boot code
        ((0x10040, b"_BHRfS_M"), (0xFF6, b"SWAPSPACE2"), "btrfs"),
    ],
)
def test_of_two_marks_the_one_that_lives_counts(
    first: tuple[int, bytes], second: tuple[int, bytes], name: str
) -> None:
    head = bytearray(HEAD_BYTES)
    for at, magic in (first, second):
        head[at : at + len(magic)] = magic
    found = kind_marked(bytes(head))
    assert found is not None
    assert found.name == name


def test_only_what_begins_with_a_jump_is_a_boot_sector() -> None:
    assert kind_of_boot_sector(b"XFSB".ljust(512, b"\0")) is None
    found = kind_of_boot_sector(bytes(54) + b"FAT16   ")
    assert found is not None
    assert found.name == "fat16"
