# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about the firmware's boot entries, on a tree as Linux shows a real firmware's."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.boot.nvram import variables
from oglib.boot.nvram.table import read_table
from oglib.boot.nvram.variables import Variables
from oglib.errors import OgErr
from unit.boot.efivars import option, ovmf, words
from unit.shim.old import answer, code_of

MAC = "(MAC:525400123456)"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Variables:
    monkeypatch.setattr(variables, "SYS", tmp_path / "sys")
    return ovmf(
        tmp_path / "sys/firmware/efi/efivars",
        BootCurrent=words(2),
        Timeout=words(2),
        Boot000A=option("Part-01-02", "/EFI/Part-01-02/Boot/ogloader.efi"),
        Boot000B=option("debian", "/EFI/debian/shimx64.efi", active=False),
        Boot000C=option("debian", "/EFI/debian/grubx64.efi"),
    )


@pytest.mark.usefixtures("store")
@pytest.mark.proves("ogNvramList", "ogNvramGetCurrent", "ogNvramGetOrder", "ogNvramGetTimeout")
def test_entries_are_told_as_sites_read_them() -> None:
    assert str(answer("ogNvramList")).split("\n") == [
        "   0   UiApp *",
        "   1   UEFI Misc Device *",
        f"   2   UEFI PXEv4 {MAC} *",
        f"   3   UEFI PXEv6 {MAC} *",
        f"   4   UEFI HTTPv4 {MAC} *",
        f"   5   UEFI HTTPv6 {MAC} *",
        "   6   EFI Internal Shell *",
        "   A   Part-01-02 *",
        "   B   debian",
        "   C   debian *",
    ]
    assert answer("ogNvramGetCurrent") == f"2   UEFI PXEv4 {MAC}"
    assert answer("ogNvramGetOrder") == "0000,0001,0002,0003,0004,0005,0006"
    assert answer("ogNvramGetTimeout") == "2 seconds"


@pytest.mark.proves("ogNvramSetNext", "ogNvramGetNext")
def test_the_next_start_alone(store: Variables) -> None:
    assert answer("ogNvramGetNext") == ""
    answer("ogNvramSetNext", "Part-01-02")
    assert answer("ogNvramGetNext") == "000A"
    answer("ogNvramSetNext", "2")
    assert answer("ogNvramGetNext") == "0002"
    answer("ogNvramSetNext", "debian")
    assert read_table(store).next == 0xB


@pytest.mark.proves("ogNvramSetOrder")
def test_the_order_is_as_it_is_said(store: Variables) -> None:
    answer("ogNvramSetOrder", "a", "2", "0001")
    assert read_table(store).order == (0xA, 2, 1)
    answer("ogNvramSetOrder", "1 2")  # one word, as `ogNvramSetOrder "$ORDER"` gives it
    assert answer("ogNvramGetOrder") == "0001,0002"


@pytest.mark.proves("ogNvramSetTimeout")
def test_how_long_the_firmware_waits(store: Variables) -> None:
    answer("ogNvramSetTimeout", "7")
    assert read_table(store).timeout == 7


@pytest.mark.proves("ogNvramActiveEntry", "ogNvramInactiveEntry")
def test_entries_are_tried_or_not(store: Variables) -> None:
    answer("ogNvramActiveEntry", "debian")
    answer("ogNvramInactiveEntry", "2")
    active = {one.number: one.option.active for one in read_table(store).entries}
    assert [active[number] for number in (0xB, 0xC, 2, 3)] == [True, True, False, True]


@pytest.mark.proves("ogNvramDeleteEntry")
def test_all_of_a_label_go(store: Variables) -> None:
    store.write("BootOrder", words(0xC, 2, 0xB))
    answer("ogNvramDeleteEntry", "debian")
    answer("ogNvramDeleteEntry", "A")
    there = read_table(store)
    assert there.order == (2,)
    assert [one.number for one in there.entries] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.proves("ogNvramPxeFirstEntry")
def test_the_network_goes_first(store: Variables) -> None:
    answer("ogNvramPxeFirstEntry")
    assert answer("ogNvramGetOrder") == "0002,0000,0001,0003,0004,0005,0006"
    before = read_table(store)
    answer("ogNvramPxeFirstEntry")
    assert read_table(store) == before


@pytest.mark.refuses(
    "ogNvramActiveEntry", "ogNvramInactiveEntry", "ogNvramDeleteEntry", "ogNvramSetNext",
    "ogNvramSetOrder", "ogNvramSetTimeout", "ogNvramPxeFirstEntry",
)  # fmt: skip
def test_what_is_not_there_is_refused_and_nothing_is_written(store: Variables) -> None:
    before = read_table(store)
    for name in ("ActiveEntry", "InactiveEntry", "DeleteEntry", "SetNext", "SetOrder"):
        assert code_of(f"ogNvram{name}", "77") == OgErr.NOTFOUND
        assert code_of(f"ogNvram{name}") == OgErr.FORMAT
    assert code_of("ogNvramDeleteEntry", "Part-01") == OgErr.NOTFOUND
    assert code_of("ogNvramSetOrder", "2", "x") == OgErr.FORMAT
    assert code_of("ogNvramSetOrder", "2", "2") == OgErr.FORMAT
    assert code_of("ogNvramSetOrder", "2", "77") == OgErr.NOTFOUND
    for seconds, code in (("x", OgErr.FORMAT), ("-1", OgErr.FORMAT), ("70000", OgErr.OUTOFLIMIT)):
        assert code_of("ogNvramSetTimeout", seconds) == code
    assert read_table(store) == before
    answer("ogNvramInactiveEntry", "2")
    assert code_of("ogNvramPxeFirstEntry") == OgErr.NOTFOUND


@pytest.mark.refuses(
    "ogNvramList", "ogNvramGetCurrent", "ogNvramGetNext", "ogNvramGetOrder", "ogNvramGetTimeout",
    "ogNvramAddEntry",
)  # fmt: skip
def test_a_pc_with_a_bios_has_no_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "SYS", tmp_path)
    for name in ("List", "GetCurrent", "GetNext", "GetOrder", "GetTimeout", "PxeFirstEntry"):
        assert code_of(f"ogNvram{name}") == OgErr.NOTUEFI
        assert code_of(f"ogNvram{name}", "1") == OgErr.FORMAT
    assert code_of("ogNvramAddEntry", "1", "2") == OgErr.NOTUEFI
    assert code_of("ogNvramAddEntry", "1") == OgErr.FORMAT
    assert code_of("ogNvramSetNext", "1") == OgErr.NOTUEFI
