# SPDX-License-Identifier: GPL-3.0-or-later
"""Layout files: what is understood, and that every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.disk.model import TableKind
from oglib.disk.planning.layout import Size, load_layout, parse_layout, parse_size
from oglib.errors import NotFoundError, UsageError


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    as_json = tmp_path / "a.json"
    as_json.write_text(
        '{"table": "gpt", "partitions": [{"type": "EFI", "size": "256MiB"},'
        ' {"type": "linux", "size": "rest", "keep": false, "name": "root"}]}'
    )
    as_toml = tmp_path / "a.toml"
    as_toml.write_text(
        'table = "gpt"\n[[partitions]]\ntype = "EFI"\nsize = "256MiB"\n'
        '[[partitions]]\ntype = "LINUX"\nsize = "rest"\nname = "root"\n'
    )
    layout = load_layout(as_json)
    assert layout == load_layout(as_toml)
    assert layout.table is TableKind.GPT
    assert [entry.type for entry in layout.partitions] == ["EFI", "LINUX"]
    assert layout.partitions[1].name == "root"


def test_a_layout_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no layout file"):
        load_layout(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (1048576, Size(bytes=1048576)),
        ("1048576", Size(bytes=1048576)),
        ("256MiB", Size(bytes=256 * 1024**2)),
        ("1.5 GiB", Size(bytes=3 * 1024**3 // 2)),
        ("9007199254740993", Size(bytes=9007199254740993)),
        ("16T", Size(bytes=16 * 1024**4)),
        ("12.5%", Size(percent=12.5)),
        ("REST", Size(rest=True)),
    ],
)
def test_sizes(value: object, size: Size) -> None:
    assert parse_size(value, "here") == size


@pytest.mark.parametrize(
    "value", [0, -1, True, None, "", "-5MiB", "5 apples", "0MiB", "101%", [], 1.5, "1e3"]
)
def test_what_is_no_size(value: object) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(value, "here")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "neither valid JSON nor TOML"),
        ("[]", "neither valid|must be one object"),
        ('{"table": "zfs", "partitions": []}', "must be gpt or msdos"),
        ('{"table": "gpt"}', "must be a list"),
        ('{"table": "gpt", "partitions": [], "colour": 1}', "unknown key colour"),
        ('{"partitions": [{"size": "1GiB"}]}', "partition 1 has no type"),
        ('{"partitions": [{"type": "LINUX"}]}', r"partition 1 \(LINUX\) has no size"),
        ('{"partitions": [{"type": "NONSENSE", "size": 5}]}', "'NONSENSE' is not a partition type"),
        ('{"partitions": [{"type": "LINUX", "size": 5, "kep": true}]}', "unknown key kep"),
        ('{"partitions": [{"type": "LINUX", "size": 5, "keep": "yes"}]}', "must be true or false"),
        ('{"partitions": [{"type": "LINUX", "size": 5, "number": 0}]}', "between 1 and 128"),
        ('{"partitions": [{"type": "EXTENDED", "size": 5}]}', "not a partition type of a gpt"),
        ('{"partitions": [{"type": "LINUX", "size": 5, "name": "a\\nb"}]}', "printable"),
        (
            '{"table": "msdos", "partitions": [{"type": "LINUX", "size": 5, "name": "a"}]}',
            "only partitions of a gpt",
        ),
        (
            '{"table": "msdos", "partitions": ['
            + ",".join(['{"type": "LINUX", "size": 5}'] * 5)
            + "]}",
            "has 4 places, not 5",
        ),
        (
            '{"table": "msdos", "partitions": [{"type": "EXTENDED", "partitions": '
            '[{"type": "LINUX", "size": 5, "keep": true}]}]}',
            "only where its EXTENDED one is kept",
        ),
        (
            '{"table": "msdos", "partitions": [{"type": "LINUX", "size": 5, "partitions": []}]}',
            "only an EXTENDED partition holds others",
        ),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_layout(text)


def test_a_windows_type_is_understood_on_both_tables() -> None:
    for table, asked, is_then in (("gpt", "NTFS", "WINDOWS"), ("msdos", "WINDOWS", "NTFS")):
        layout = parse_layout(
            f'{{"table": "{table}", "partitions": [{{"type": "{asked}", "size": "1GiB"}}]}}'
        )
        assert layout.partitions[0].type == is_then


def test_a_partition_to_keep_by_partuuid() -> None:
    row = '{"keep": true, "partuuid": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"}'
    layout = parse_layout(f'{{"partitions": [{row}]}}')
    assert layout.partitions[0].partuuid == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
    for wrong, says in (
        (row.replace("C12A", "X12A"), "is not a PARTUUID"),
        (row.replace("true", 'false, "type": "LINUX", "size": 5'), "say 'keep': true"),
    ):
        with pytest.raises(UsageError, match=says):
            parse_layout(f'{{"partitions": [{wrong}]}}')


def test_a_cache_without_a_size_is_the_word_that_it_may_go() -> None:
    layout = parse_layout('{"partitions": [{"type": "CACHE", "keep": false}]}')
    assert (layout.partitions[0].keep, layout.partitions[0].size) == (False, None)
    with pytest.raises(UsageError, match="has no size"):
        parse_layout('{"partitions": [{"type": "CACHE"}]}')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "no text|not a text"),
        (b'{"partitions": ' + b"[" * 100_000, "neither valid JSON"),
        (
            b'{"partitions": [{"type": "LINUX", "size": ' + b"9" * 5000 + b"}]}",
            "neither valid JSON",
        ),
        (b'{"partitions": [{"type": "LINUX", "size": ' + b"9" * 400 + b"}]}", "not a size"),
        (b'{"partitions": [{"type": "LINUX", "size": "' + b"9" * 400 + b'"}]}', "not a size"),
        (b"#" * (1 << 20) + b"#", "more than 1048576 bytes"),
    ],
    ids=["binary", "brackets", "digits", "huge", "huge text", "long"],
)
def test_what_nobody_would_write_is_refused_in_words(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "layout.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        load_layout(path)


def test_a_device_without_end_and_a_folder_are_no_layouts(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError, match=r"no layout|cannot be read: Is a directory"):
            load_layout(path)
