# SPDX-License-Identifier: GPL-3.0-or-later
"""The firmware's boot entries: read by the specification, planned as values, judged by reading."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.boot.nvram import planning, variables
from oglib.boot.nvram.load_option import Kind, LoadOption, Target, decoded, loader, with_active
from oglib.boot.nvram.planning import OrderPosition, Presence
from oglib.boot.nvram.presence import is_file, presence_on
from oglib.boot.nvram.table import BootTable, Entry, read_table, write
from oglib.boot.nvram.variables import Variables
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import OgErr, OgError, WriteError
from unit.boot.efivars import ESP, GUID, OTHER_ESP, option, ovmf, words
from unit.boot.efivars import variables as tree

PART = Partition(1, 2048 * 512, 68000 * 512, "EFI", "C12A7328", partuuid=ESP)
DISK = Disk(1, Path("/dev/vda"), 40 << 20, TableKind.GPT, (PART,))
DEBIAN = "/EFI/debian/grubx64.efi"


def entry(number: int, label: str = "debian", file: str = DEBIAN, where: str = ESP) -> Entry:
    return Entry(number, decoded(option(label, file, where)))


def table(*entries: Entry, order: Collection[int] = (), **more: int) -> BootTable:
    return BootTable(tuple(entries), tuple(order), **more)


def missing(*files: str) -> planning.PresenceProbe:
    """A look for which these files are not there."""
    return lambda target: Presence.MISSING if target.file in files else Presence.THERE


# ---- bytes -------------------------------------------------------------------------------------


def test_what_a_real_firmware_wrote(tmp_path: Path) -> None:
    found = read_table(ovmf(tmp_path, BootCurrent=words(2)))
    told = [(one.name, one.label, one.option.active, one.option.target) for one in found.entries]
    mac = "(MAC:525400123456)"
    other = Target(Kind.OTHER)
    assert told == [
        ("Boot0000", "UiApp", True, other),
        ("Boot0001", "UEFI Misc Device", True, other),
        ("Boot0002", f"UEFI PXEv4 {mac}", True, Target(Kind.NETWORK, protocol="IPv4")),
        ("Boot0003", f"UEFI PXEv6 {mac}", True, Target(Kind.NETWORK, protocol="IPv6")),
        ("Boot0004", f"UEFI HTTPv4 {mac}", True, Target(Kind.NETWORK, protocol="HTTP")),
        ("Boot0005", f"UEFI HTTPv6 {mac}", True, Target(Kind.NETWORK, protocol="HTTP")),
        ("Boot0006", "EFI Internal Shell", True, other),
    ]
    assert found.order == (0, 1, 2, 3, 4, 5, 6)
    assert (found.next, found.current, found.timeout) == (None, 2, 0)


def test_an_entry_for_a_file_is_as_the_specification_has_it() -> None:
    made = loader("debian", DISK, PART, DEBIAN)
    assert made.raw == option("debian", DEBIAN)
    assert made.target == Target(Kind.FILE, ESP, DEBIAN)
    assert made.active
    off = with_active(made, active=False)
    assert off.raw == option("debian", DEBIAN, active=False)
    assert with_active(off, active=True) == made


def test_a_partition_of_an_msdos_table_is_named_by_its_signature() -> None:
    part = replace(PART, partuuid="deadbeef-02", number=2)
    made = loader("x", replace(DISK, table=TableKind.MSDOS), part, "EFI/x.efi")
    assert made.target == Target(Kind.FILE, "deadbeef-02", "/EFI/x.efi")


def test_a_partition_without_identity_has_no_entry() -> None:
    with pytest.raises(OgError) as told:
        loader("x", DISK, replace(PART, partuuid=""), "x.efi")
    assert told.value.code == OgErr.PARTITION


@pytest.mark.parametrize("cut", range(0, 120, 3))
def test_a_cut_entry_is_a_value_and_goes_back_as_it_came(cut: int) -> None:
    raw = option("debian", DEBIAN)[:cut]
    found = decoded(raw)
    assert found.raw == raw
    assert found.damage
    assert found.target.kind is Kind.OTHER
    assert with_active(with_active(found, active=True), active=found.active).raw == raw


def test_a_node_that_says_it_is_longer_than_the_path_ends_it() -> None:
    raw = bytearray(option("a", "/b"))
    raw[6 + 4 + 2] = 0xFF  # the length of the first node
    assert decoded(bytes(raw)).target == Target(Kind.OTHER)


# ---- the files ---------------------------------------------------------------------------------


def test_a_variable_is_replaced_whole_and_removed(tmp_path: Path) -> None:
    store = tree(tmp_path, {"BootOrder": words(1, 2, 3)})
    store.write("BootOrder", words(2))
    assert (tmp_path / f"BootOrder-{GUID}").read_bytes() == b"\x07\0\0\0\x02\0"
    store.delete("BootOrder")
    store.delete("BootOrder")
    assert store.read("BootOrder") is None


def test_names_that_are_no_entries_are_left_alone(tmp_path: Path) -> None:
    store = tree(tmp_path, {"Boot0001": option("a", "/b"), "BootOptionSupport": b"1", "Boot1": b""})
    assert store.numbers() == (1,)


def test_what_cannot_be_read_is_no_absence(tmp_path: Path) -> None:
    (tmp_path / f"BootOrder-{GUID}").mkdir()
    with pytest.raises(OgError):
        Variables(tmp_path).read("BootOrder")
    (tmp_path / f"Boot0001-{GUID}").write_bytes(b"\x07")
    with pytest.raises(OgError):
        Variables(tmp_path).read("Boot0001")
    with pytest.raises(OgError):
        Variables(tmp_path / "none").numbers()


def test_a_pc_that_a_bios_started_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "SYS", tmp_path)
    with pytest.raises(OgError) as told:
        variables.here()
    assert told.value.code == OgErr.NOTUEFI
    (tmp_path / "firmware/efi/efivars").mkdir(parents=True)
    with pytest.raises(OgError) as told:  # not mounted is not empty
        variables.here()
    assert told.value.code == OgErr.GENERIC


# ---- plans -------------------------------------------------------------------------------------


def test_a_new_entry_takes_a_number_that_the_order_does_not_name_either() -> None:
    new = planning.added(table(entry(0), entry(2), order=(2, 1)), decoded(option("new", "/x")))
    assert new.entry(3) is not None
    assert new.order == (3, 2, 1)
    assert planning.added(new, decoded(option("l", "/y")), OrderPosition.LAST).order == (3, 2, 1, 4)
    assert planning.added(new, decoded(option("o", "/z")), OrderPosition.OUT).order == (3, 2, 1)


def test_a_full_firmware_has_no_number_left() -> None:
    full = table(order=range(0x10000))
    with pytest.raises(OgError) as told:
        planning.added(full, decoded(option("new", "/x")))
    assert told.value.code == OgErr.NOTWRITE


def test_a_deleted_entry_leaves_order_and_next() -> None:
    old = table(entry(1), entry(2), order=(2, 1), next=2)
    assert planning.without(old, {2}) == table(entry(1), order=(1,))


def test_entries_are_named_by_number_or_label() -> None:
    there = table(entry(0xA), entry(1), entry(2, "Part-01-02"))
    assert [one.number for one in planning.named(there, "a")] == [0xA]
    assert [one.number for one in planning.named(there, "000A")] == [0xA]
    assert [one.number for one in planning.named(there, "debian")] == [0xA, 1]
    assert [one.number for one in planning.named(there, "Part-01-02")] == [2]
    for word in ("", "7", "Part", "00001"):
        with pytest.raises(OgError) as told:
            planning.named(there, word)
        assert told.value.code == OgErr.NOTFOUND


def test_an_order_names_what_is_there_once() -> None:
    old = table(entry(1), entry(2), entry(3), order=(1, 2, 3))
    assert planning.ordered(old, (3, 1)).order == (3, 1)
    assert planning.brought_forward(old, (3,)).order == (3, 1, 2)
    with pytest.raises(OgError) as told:
        planning.ordered(old, (9,))
    assert told.value.code == OgErr.NOTFOUND
    with pytest.raises(OgError) as told:
        planning.ordered(old, (1, 1))
    assert told.value.code == OgErr.FORMAT


def test_the_network_that_pxe_uses_comes_first(tmp_path: Path) -> None:
    there = read_table(ovmf(tmp_path))
    assert planning.network_first(there).order == (2, 0, 1, 3, 4, 5, 6)
    off = planning.activated(there, {2}, active=False)
    assert planning.network_first(off) == off  # HTTP and IPv6 are not what PXE uses
    none = table(entry(1), order=(1,))
    assert planning.network_first(none) == none


def test_dead_is_only_what_was_looked_for() -> None:
    there = table(
        entry(1), entry(2, file="/EFI/gone.efi"), entry(3, file="/EFI/far.efi"), order=(1, 2, 3)
    )

    def probe(target: Target) -> Presence:
        found = {"/EFI/gone.efi": Presence.MISSING, "/EFI/far.efi": Presence.UNKNOWN}
        return found.get(target.file, Presence.THERE)

    assert [one.number for one in planning.dead(there, probe)] == [2]
    started = replace(there, current=2)
    assert planning.dead(started, probe) == ()
    assert planning.cleaned(there, probe).order == (1, 3)


def test_doubled_is_what_starts_the_same() -> None:
    there = table(
        entry(1), entry(2), entry(3, where=OTHER_ESP), entry(4, "other"), order=(2, 1, 3, 4)
    )
    assert [one.number for one in planning.doubled(there)] == [1]
    assert [one.number for one in planning.doubled(replace(there, current=1))] == []


def test_cleaning_takes_numbers_without_an_entry_out_of_the_order() -> None:
    there = table(entry(1), order=(7, 1, 1), next=7)
    assert planning.cleaned(there, missing()) == table(entry(1), order=(1,))


def test_a_timeout_has_bounds() -> None:
    assert planning.with_timeout(table(), 5).timeout == 5
    for seconds in (-1, 65536):
        with pytest.raises(OgError) as told:
            planning.with_timeout(table(), seconds)
        assert told.value.code == OgErr.OUTOFLIMIT


# ---- writing -----------------------------------------------------------------------------------


def test_what_is_planned_is_written_and_read_back(tmp_path: Path) -> None:
    store = ovmf(tmp_path, Boot0007=option("old", "/old.efi"))
    old = read_table(store)
    new = planning.added(old, loader("debian", DISK, PART, DEBIAN))
    new = planning.with_timeout(planning.with_next(planning.network_first(new), 8), 3)
    new = planning.activated(planning.without(new, {7}), {1}, active=False)
    assert write(store, old, new) == new
    assert read_table(store) == new
    assert write(store, new, old) == old  # and the way back
    assert store.read("BootNext") is None


def test_nothing_is_written_where_it_is_not_as_planned(tmp_path: Path) -> None:
    store = ovmf(tmp_path)
    old = read_table(store)
    store.write("BootOrder", words(3, 2))
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    with pytest.raises(OgError, match="not as they were"):
        write(store, old, planning.with_timeout(old, 9))
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


class Forgetful(Variables):
    """A firmware that says yes to everything and does not do this one."""

    def __init__(self, folder: Path, forgets: str) -> None:
        super().__init__(folder)
        self.forgets = forgets

    def write(self, name: str, value: bytes) -> None:
        if name != self.forgets:
            super().write(name, value)

    def delete(self, name: str) -> None:
        if name != self.forgets:
            super().delete(name)


@pytest.mark.parametrize("forgets", ["BootOrder", "BootNext", "Timeout", "Boot0007", "Boot0006"])
def test_a_firmware_that_undoes_it_is_found_out(tmp_path: Path, forgets: str) -> None:
    ovmf(tmp_path)
    store = Forgetful(tmp_path, forgets)
    old = read_table(store)
    new = planning.added(old, loader("debian", DISK, PART, DEBIAN))
    new = planning.with_timeout(planning.with_next(new, 7), 3)
    new = planning.without(new, {6})
    with pytest.raises(WriteError, match="did not keep them"):
        write(store, old, new)


class Cut(Variables):
    """Power goes after so many writes."""

    def __init__(self, folder: Path, left: int) -> None:
        super().__init__(folder)
        self.left = left

    def _count(self) -> None:
        if self.left == 0:
            raise RuntimeError
        self.left -= 1

    def write(self, name: str, value: bytes) -> None:
        self._count()
        super().write(name, value)

    def delete(self, name: str) -> None:
        self._count()
        super().delete(name)


@pytest.mark.parametrize("left", range(5))
def test_cut_anywhere_the_order_names_what_is_there(tmp_path: Path, left: int) -> None:
    store = ovmf(tmp_path, BootNext=words(6))
    old = read_table(store)

    def wanted(there: BootTable) -> BootTable:
        """What a second run plans: it adds nothing that is there already."""
        option = loader("debian", DISK, PART, DEBIAN)
        known = {one.option for one in there.entries}
        new = there if option in known else planning.added(there, option)
        made = next(one.number for one in new.entries if one.option == option)
        return planning.without(planning.brought_forward(new, [made]), {1, 6})

    with pytest.raises(RuntimeError):
        write(Cut(tmp_path, left), old, wanted(old))
    there = read_table(store)
    assert all(there.entry(number) for number in there.order)
    again = wanted(there)
    assert write(store, there, again) == wanted(again)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root marks files as immutable")
def test_a_mark_against_changes_is_lifted_for_one(tmp_path: Path) -> None:
    store = tree(tmp_path, {"BootOrder": words(1)})
    path = tmp_path / f"BootOrder-{GUID}"
    try:
        variables._set_flags(path, variables._flags_of(path) | variables._IMMUTABLE)
    except OSError:
        pytest.skip("this filesystem has no such mark")
    with pytest.raises(PermissionError):
        path.write_bytes(b"")
    store.write("BootOrder", words(2))
    assert store.read("BootOrder") == words(2)
    assert variables._flags_of(path) & variables._IMMUTABLE
    store.delete("BootOrder")
    assert not path.exists()


# ---- looking -----------------------------------------------------------------------------------


def test_a_file_is_found_as_firmware_does(tmp_path: Path) -> None:
    (tmp_path / "EFI/BOOT").mkdir(parents=True)
    (tmp_path / "EFI/BOOT/BOOTX64.EFI").touch()
    (tmp_path / "EFI/link").symlink_to("BOOT")
    assert is_file(tmp_path, "/efi/boot/bootx64.efi")
    assert not is_file(tmp_path, "/efi/boot")
    assert not is_file(tmp_path, "/efi/boot/../boot/bootx64.efi")
    assert not is_file(tmp_path, "/efi/link/bootx64.efi")
    assert not is_file(tmp_path, "/efi/none/bootx64.efi")


def test_a_partition_that_no_disk_has_is_missing_unless_a_table_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.efi").touch()
    there = replace(PART, mountpoints=(str(tmp_path),), partuuid=ESP.upper())
    disk = replace(DISK, partitions=(there,))
    gone = Target(Kind.FILE, OTHER_ESP, "/x.efi")
    probe = presence_on([disk])
    assert probe(Target(Kind.FILE, ESP, "/x.efi")) is Presence.THERE
    assert probe(Target(Kind.FILE, ESP, "/y.efi")) is Presence.MISSING
    assert probe(gone) is Presence.MISSING
    assert presence_on([disk, replace(DISK, damage=("cut",))])(gone) is Presence.UNKNOWN
    lost = replace(PART, mountpoints=(str(tmp_path / "gone"),))
    assert presence_on([replace(DISK, partitions=(lost,))])(Target(Kind.FILE, ESP, "/x.efi")) is (
        Presence.UNKNOWN
    )


def test_changes_are_told() -> None:
    old = table(entry(1), entry(2, "off"), order=(1, 2))
    new = planning.added(planning.without(old, {1}), decoded(option("new", "/x.efi")))
    new = planning.with_next(planning.activated(new, {2}, active=False), 0)
    assert planning.changes(old, new) == (
        f'remove Boot0001 "debian", /EFI/debian/grubx64.efi on PARTUUID={ESP}',
        f'add Boot0000 "new", /x.efi on PARTUUID={ESP}',
        'deactivate Boot0002 "off"',
        "order 0000,0002, was 0001,0002",
        "next Boot0000",
    )
    damaged = LoadOption(b"", "", active=False, target=Target(Kind.OTHER), damage="cut")
    assert planning.changes(table(), table(Entry(3, damaged))) == (
        'add Boot0003 "", something else',
    )
