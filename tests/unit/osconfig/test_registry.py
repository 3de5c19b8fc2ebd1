# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry hives that hivex itself wrote, found and read through a root that cannot be left."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from oglib.errors import NotFoundError, OgError
from oglib.osconfig.registry import Value, ValueType, find_hive, open_hive
from oglib.osconfig.root import TargetRoot
from unit.inventory.hives import empty_hive, make_hive

VERSION = "Microsoft\\Windows NT\\CurrentVersion"


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    (tmp_path / "WINDOWS/system32/Config").mkdir(parents=True)
    make_hive(
        tmp_path / "WINDOWS/system32/Config/software",
        {
            VERSION: {
                "ProductName": "Windows 10 Education ñ",
                "Number": 7,
                "Large": 1 << 40,
                "Several": ["one", "two"],
                "Raw": b"\x01\x02",
            },
            "Classes\\.txt": {"": "txtfile"},
        },
    )
    return tmp_path


def test_values_are_read_by_type_and_without_regard_to_case(windows: Path) -> None:
    with TargetRoot(windows) as root, open_hive(root, "SOFTWARE") as hive:
        key = VERSION.upper()
        assert hive.has(key)
        assert hive.text(key, "productname") == "Windows 10 Education ñ"
        assert hive.number(key, "NUMBER") == 7
        assert hive.text(key, "Number") == "7"
        assert hive.number(key, "Large") == 1 << 40
        values = hive.values(key)
        assert values["several"].texts == ("one", "two")
        assert values["raw"] == Value("Raw", ValueType.BINARY, b"\x01\x02")
        assert values["raw"].text == ""
        assert hive.keys("Microsoft") == ("Windows NT",)
        assert hive.text("Classes\\.txt", "") == "txtfile"


def test_what_is_not_there_is_empty(windows: Path) -> None:
    with TargetRoot(windows) as root, open_hive(root, "SOFTWARE") as hive:
        assert not hive.has("Microsoft\\Nothing\\Below")
        assert hive.keys("Nothing") == ()
        assert hive.values("Nothing") == {}
        assert hive.text(VERSION, "Nothing") == ""
        assert hive.number(VERSION, "ProductName") is None


def test_no_such_hive(windows: Path) -> None:
    with TargetRoot(windows) as root:
        assert find_hive(root, "SYSTEM") == ""
        with pytest.raises(NotFoundError), open_hive(root, "SYSTEM"):
            pass


def test_a_hive_is_never_followed_out_of_the_root(windows: Path, tmp_path: Path) -> None:
    outside = make_hive(tmp_path / "outside", {"Secret": {"a": "b"}})
    hive = windows / "WINDOWS/system32/Config/software"
    hive.unlink()
    root_path = windows / "WINDOWS"
    (root_path / "Windows/System32/config").mkdir(parents=True)
    (root_path / "Windows/System32/config/SOFTWARE").symlink_to(outside)
    with TargetRoot(root_path) as root, pytest.raises(NotFoundError), open_hive(root, "SOFTWARE"):
        pass


@pytest.mark.parametrize(
    "content",
    [b"", b"regf", b"MZ" * 8192, empty_hive()[:6000], empty_hive().replace(b"hbin", b"hbiN")],
    ids=["empty", "magic only", "no hive", "cut", "no page"],
)
def test_damaged_hives_are_refused(
    windows: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (windows / "WINDOWS/system32/Config/software").write_bytes(content)
    with TargetRoot(windows) as root, pytest.raises(OgError), open_hive(root, "SOFTWARE"):
        pass
    assert capfd.readouterr().err == ""


@trying.examples(60)
@given(st.lists(st.tuples(st.integers(0x1000, 0x13FF), st.binary(min_size=1, max_size=8))))
def test_any_damage_ends_in_an_answer_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "Windows/System32/config").mkdir(parents=True)
    path = make_hive(
        folder / "Windows/System32/config/SOFTWARE", {VERSION: {"ProductName": "Windows", "N": 3}}
    )
    content = bytearray(path.read_bytes())
    for offset, data in damage:
        content[offset : offset + len(data)] = data
    path.write_bytes(content)
    with TargetRoot(folder) as root:
        try:
            with open_hive(root, "SOFTWARE") as hive:
                hive.keys("Microsoft")
                hive.text(VERSION, "ProductName")
        except OgError:
            pass


def test_texts_cut_short_are_still_texts() -> None:
    assert Value("a", ValueType.SZ, b"a\0b").text == "a"
    assert Value("a", ValueType.DWORD, b"\1\2").number is None
    assert Value("a", ValueType.DWORD, b"\1\2").text == ""
    assert Value("a", ValueType.DWORD_BIG_ENDIAN, b"\0\0\1\0").number == 256
    assert Value("a", 99, b"\1\2").texts == ()
