# SPDX-License-Identifier: GPL-3.0-or-later
"""The step ``boot-entries``: one entry for the system, others' as they were, the network first."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from oglib.boot.facts import BootFacts
from oglib.boot.nvram import fitting, variables
from oglib.boot.nvram.fitting import BOOT_ENTRIES
from oglib.boot.nvram.table import BootTable, read_table
from oglib.boot.nvram.variables import Variables
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import OgError
from oglib.fitting.devices import Known
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Need
from unit.boot.efivars import ESP, OTHER_ESP, option, ovmf, words

ROOT = cast(Files, None)  # the step looks at nothing of the system
DEBIAN = "/EFI/debian/grubx64.efi"


@pytest.fixture
def facts(tmp_path: Path) -> BootFacts:
    """A system on partition 2; the ESP's files are below ``esp``, as if mounted there."""
    loader = tmp_path / "esp/EFI/debian/grubx64.efi"
    loader.parent.mkdir(parents=True)
    loader.touch()
    esp = Partition(
        1, 2048 * 512, 68000 * 512, "EFI", "C12A7328", partuuid=ESP,
        mountpoints=(str(tmp_path / "esp"),),
    )  # fmt: skip
    disk = Disk(1, Path("/dev/vda"), 40 << 20, TableKind.GPT, (esp,))
    return BootFacts(disk, Firmware.UEFI, "debian", Known("ext4", ""), place="Part-01-02")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Variables:
    """The variables of this PC, as OVMF wrote them; there are no other disks."""
    monkeypatch.setattr(variables, "SYS", tmp_path / "sys")
    monkeypatch.setattr(fitting, "SYS", tmp_path / "sys")
    monkeypatch.setattr(fitting, "list_disks", lambda: ())
    monkeypatch.setattr(fitting, "esp_folder", lambda *_: nullcontext(tmp_path / "esp"))
    return ovmf(tmp_path / "sys/firmware/efi/efivars")


def fitted(facts: BootFacts) -> str:
    checked = BOOT_ENTRIES.check(ROOT, facts)
    assert checked.need is Need.NEEDED, checked.detail
    assert BOOT_ENTRIES.apply(ROOT, facts, checked) == checked.detail
    again = BOOT_ENTRIES.check(ROOT, facts)
    assert (again.need, again.detail) == (Need.NOT_NEEDED, "already so")
    return checked.detail


def labels(table: BootTable) -> list[str]:
    return [one.label.split(" (")[0] for one in table.tried]


def test_a_system_gets_an_entry_behind_the_network(store: Variables, facts: BootFacts) -> None:
    fitted(facts)
    there = read_table(store)
    assert labels(there)[:3] == ["UEFI PXEv4", "debian Part-01-02", "UiApp"]
    made = there.entry(7)
    assert made is not None
    assert made.option.raw == option("debian Part-01-02", DEBIAN)


def test_a_site_may_want_its_disk_first(store: Variables, facts: BootFacts) -> None:
    fitted(replace(facts, network_first=False))
    assert labels(read_table(store))[:2] == ["debian Part-01-02", "UiApp"]


def test_its_own_old_entries_go_and_others_stay(store: Variables, facts: BootFacts) -> None:
    store.write("Boot0010", option("debian Part-01-02", "/EFI/old.efi"))  # of its label
    store.write("Boot0011", option("debian", DEBIAN, OTHER_ESP))  # dead in its folder
    store.write("Boot0012", option("debian Part-01-03", DEBIAN))  # another copy of the image
    store.write("Boot0013", option("Windows", "/EFI/gone.efi", OTHER_ESP))  # dead, another's
    store.write("BootOrder", words(0x11, 0x10, 0x13, 0x12, 2, 0x77))
    fitted(facts)
    there = read_table(store)
    assert [there.entry(number) is not None for number in range(0x10, 0x14)] == [
        False, False, True, True,
    ]  # fmt: skip
    assert labels(there) == ["UEFI PXEv4", "debian Part-01-02", "Windows", "debian Part-01-03"]
    assert len(there.order) == 4


def test_its_doubled_entry_is_one_again(store: Variables, facts: BootFacts) -> None:
    for number in (0x10, 0x11, 0x12):
        store.write(f"Boot00{number:X}", option("debian Part-01-02", DEBIAN))
    store.write("BootOrder", words(0x12, 0x10, 0x11))
    fitted(facts)
    there = read_table(store)
    mine = [one.number for one in there.entries if one.label == "debian Part-01-02"]
    assert mine == [0x12]  # the one that the firmware tried


def test_the_loader_that_is_the_systems_alone_goes_before_the_shared_folder(
    store: Variables, facts: BootFacts, tmp_path: Path
) -> None:
    own = tmp_path / "esp/EFI/Part-01-02/Boot"
    own.mkdir(parents=True)
    (own / "SHIMX64.EFI").touch()
    fitted(facts)
    found = [one for one in read_table(store).entries if one.label == "debian Part-01-02"]
    assert [one.option.target.file for one in found] == ["/EFI/Part-01-02/Boot/shimx64.efi"]


def test_where_only_the_removable_path_is_that_is_the_entry(
    store: Variables, facts: BootFacts, tmp_path: Path
) -> None:
    (tmp_path / "esp/EFI/debian/grubx64.efi").unlink()
    (tmp_path / "esp/EFI/BOOT").mkdir()
    (tmp_path / "esp/EFI/BOOT/BOOTX64.EFI").touch()
    fitted(facts)
    found = [one for one in read_table(store).entries if one.label == "debian Part-01-02"]
    assert [one.option.target.file for one in found] == ["/EFI/BOOT/BOOTX64.EFI"]


def test_without_any_loader_nothing_is_written(
    store: Variables, facts: BootFacts, tmp_path: Path
) -> None:
    (tmp_path / "esp/EFI/debian/grubx64.efi").unlink()
    before = read_table(store)
    checked = BOOT_ENTRIES.check(ROOT, facts)  # a step before this one may install it
    assert checked.need is Need.NEEDED
    with pytest.raises(OgError, match="no loader"):
        BOOT_ENTRIES.apply(ROOT, facts, checked)
    assert read_table(store) == before


@pytest.mark.usefixtures("store")
def test_what_has_no_firmware_of_its_own_is_left(
    facts: BootFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pc.img").touch()
    for disk in (
        replace(facts.disk, number=0),
        replace(facts.disk, path=tmp_path / "pc.img"),  # as OG_DISKS numbers them
        replace(facts.disk, path=Path("/dev/loop7")),
    ):
        assert BOOT_ENTRIES.check(ROOT, replace(facts, disk=disk)).need is Need.NOT_NEEDED
    monkeypatch.setattr(fitting, "SYS", tmp_path / "none")
    assert BOOT_ENTRIES.check(ROOT, facts).need is Need.NOT_NEEDED


def test_a_firmware_that_cannot_be_read_is_a_failed_step(
    store: Variables, facts: BootFacts
) -> None:
    for path in store.folder.iterdir():
        path.write_bytes(b"")
    checked = BOOT_ENTRIES.check(ROOT, facts)
    assert checked.need is Need.CANNOT
