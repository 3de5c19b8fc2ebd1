# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot entries in a real UEFI firmware (OVMF): planned and written by ours, judged by what starts.

Each PC is firmware and an ESP with loaders that say their name. Its own variables are changed by
the code that changes them on a PC, in a tree as Linux shows them, and put back before it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from harness.tiny import ESP, GONE, REMOVABLE, TinyPc

from oglib.boot.facts import BootFacts
from oglib.boot.nvram import planning
from oglib.boot.nvram.fitting import own_label, planned
from oglib.boot.nvram.load_option import LoadOption, decoded, loader
from oglib.boot.nvram.planning import OrderPosition
from oglib.boot.nvram.table import BootTable, read_table, write
from oglib.disk.firmware import Firmware
from oglib.errors import WriteError
from oglib.fitting.devices import Known

DEBIAN = "EFI/debian/grubx64.efi"
OTHER = "EFI/Part-01-03/Boot/grubx64.efi"
LABEL = own_label("debian", "Part-01-02")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyPc]:
    """Started once, so that its firmware has written its own entries."""
    loaders = {REMOVABLE: "REMOVABLE", DEBIAN: "DEBIAN", OTHER: "OTHER"}
    pc = TinyPc(tmp_path_factory.mktemp("pc"), loaders)
    assert pc.start() == "REMOVABLE"
    yield pc
    pc.image.unlink()


@pytest.fixture
def pc(started: TinyPc, tmp_path: Path) -> TinyPc:
    return started.another(tmp_path)


def change(pc: TinyPc, plan: Callable[[BootTable], BootTable]) -> BootTable:
    """Plan and write on what its firmware has, and give it back; what is there then."""
    store = pc.variables()
    old = read_table(store)
    done = write(store, old, plan(old))
    pc.put_back(store)
    assert read_table(pc.variables()) == done
    return done


def entry(pc: TinyPc, file: str, label: str = "debian") -> LoadOption:
    return loader(label, pc.disk(), pc.disk().partitions[0], file)


def elsewhere(pc: TinyPc, file: str, label: str = "debian") -> LoadOption:
    """The same on a partition that this PC does not have."""
    raw = entry(pc, file, label).raw
    return decoded(raw.replace(UUID(ESP).bytes_le, UUID(GONE).bytes_le))


def facts(pc: TinyPc) -> BootFacts:
    return BootFacts(pc.disk(), Firmware.UEFI, "debian", Known("ext4", ""), place="Part-01-02")


def fitted(pc: TinyPc) -> BootTable:
    """What the step ``boot-entries`` makes of it."""
    option = entry(pc, DEBIAN, LABEL)
    return change(pc, lambda old: planned(old, option, facts(pc), pc.look))


def test_the_entry_of_a_fitted_system_starts(pc: TinyPc) -> None:
    done = fitted(pc)
    assert pc.start() == "DEBIAN"
    assert fitted(pc) == done  # the firmware kept it, and twice changes nothing


def test_two_copies_of_an_image_keep_their_entries(pc: TinyPc) -> None:
    change(pc, lambda old: planning.added(old, entry(pc, OTHER, "debian Part-01-03")))
    done = fitted(pc)
    kept = [one.label for one in done.tried][:2]
    assert kept == ["debian Part-01-02", "debian Part-01-03"]
    assert pc.start() == "DEBIAN"
    number = planning.named(done, "debian Part-01-03")[0].number
    change(pc, lambda old: planning.brought_forward(old, [number]))
    assert pc.start() == "OTHER"


def test_an_entry_for_a_missing_device_falls_through_and_is_removed(pc: TinyPc) -> None:
    change(pc, lambda old: planning.added(old, elsewhere(pc, DEBIAN)))
    assert pc.start() == "REMOVABLE"
    there = read_table(pc.variables())
    assert [one.label for one in planning.dead(there, pc.look)] == ["debian"]  # it stayed
    done = fitted(pc)
    assert [one.label for one in done.entries].count("debian") == 0
    assert pc.start() == "DEBIAN"


def test_an_entry_for_a_missing_file_falls_through_and_is_removed(pc: TinyPc) -> None:
    change(pc, lambda old: planning.added(old, entry(pc, "EFI/debian/gone.efi")))
    assert pc.start() == "REMOVABLE"
    done = change(pc, lambda old: planning.cleaned(old, pc.look))
    assert planning.dead(done, pc.look) == ()
    assert all(one.label != "debian" for one in done.entries)
    assert pc.start() == "REMOVABLE"


def test_a_dead_entry_goes_and_the_order_of_the_others_stays(pc: TinyPc) -> None:
    def many(old: BootTable) -> BootTable:
        old = planning.added(old, entry(pc, OTHER, "other"))
        old = planning.added(old, elsewhere(pc, DEBIAN, "dead"))
        old = planning.added(old, entry(pc, DEBIAN, "mine"), OrderPosition.LAST)
        return planning.added(old, elsewhere(pc, OTHER, "dead too"), OrderPosition.LAST)

    before = change(pc, many)
    done = change(pc, lambda old: planning.cleaned(old, pc.look))
    left = [one.label for one in before.tried if not one.label.startswith("dead")]
    assert [one.label for one in done.tried] == left
    assert pc.start() == "OTHER"
    assert read_table(pc.variables()).order == done.order


def test_a_doubled_label_is_one_again(pc: TinyPc) -> None:
    def doubled(old: BootTable) -> BootTable:
        for _ in range(3):
            old = planning.added(old, entry(pc, DEBIAN, LABEL))
        return planning.added(old, elsewhere(pc, DEBIAN, LABEL))

    change(pc, doubled)
    done = fitted(pc)
    assert [one.label for one in done.entries].count(LABEL) == 1
    assert pc.start() == "DEBIAN"


def test_next_starts_once(pc: TinyPc) -> None:
    def once(old: BootTable) -> BootTable:
        new = planning.added(old, entry(pc, OTHER, "once"), OrderPosition.OUT)
        return planning.with_next(new, planning.named(new, "once")[0].number)

    fitted(pc)
    change(pc, once)
    assert pc.start() == "OTHER"
    assert read_table(pc.variables()).next is None
    assert pc.start() == "DEBIAN"


def test_next_that_is_gone_falls_through(pc: TinyPc) -> None:
    fitted(pc)
    change(pc, lambda old: planning.with_next(old, 0x77))
    assert pc.start() == "DEBIAN"
    assert read_table(pc.variables()).next is None


def test_next_that_is_dead_falls_through(pc: TinyPc) -> None:
    def dead(old: BootTable) -> BootTable:
        new = planning.added(old, elsewhere(pc, DEBIAN, "dead"), OrderPosition.OUT)
        return planning.with_next(new, planning.named(new, "dead")[0].number)

    fitted(pc)
    change(pc, dead)
    assert pc.start() == "DEBIAN"


def test_a_long_order_takes_a_new_entry_first(pc: TinyPc) -> None:
    def full(old: BootTable) -> BootTable:
        for number in range(40):
            old = planning.added(old, elsewhere(pc, f"EFI/{number}.efi", f"dead {number}"))
        return old

    change(pc, full)
    done = fitted(pc)
    assert len(done.order) > 40  # another system's dead ones are not this step's
    assert pc.start() == "DEBIAN"
    assert len(change(pc, lambda old: planning.cleaned(old, pc.look)).order) < 10
    assert pc.start() == "DEBIAN"


def test_an_order_that_the_firmware_undoes_is_put_back(pc: TinyPc) -> None:
    done = fitted(pc)

    def undone(old: BootTable) -> BootTable:
        """As some firmware does at its start: its own first, the new one nowhere."""
        return planning.ordered(old, done.order[1:])

    change(pc, undone)
    assert pc.start() == "REMOVABLE"  # which needs no entry
    assert fitted(pc) == done
    assert pc.start() == "DEBIAN"


def test_a_firmware_that_forgets_everything_starts_the_removable_path(pc: TinyPc) -> None:
    fitted(pc)

    def empty(old: BootTable) -> BootTable:
        return planning.without(old, {one.number for one in old.entries})

    change(pc, empty)
    assert pc.start() == "REMOVABLE"
    fitted(pc)
    assert pc.start() == "DEBIAN"


def test_an_inactive_entry_is_passed_over(pc: TinyPc) -> None:
    done = fitted(pc)
    number = done.order[0]
    change(pc, lambda old: planning.activated(old, {number}, active=False))
    assert pc.start() == "REMOVABLE"
    change(pc, lambda old: planning.activated(old, {number}, active=True))
    assert pc.start() == "DEBIAN"


def test_the_entry_that_started_it_can_be_deleted(pc: TinyPc) -> None:
    done = fitted(pc)
    assert pc.start() == "DEBIAN"
    change(pc, lambda old: planning.without(old, {done.order[0]}))
    assert pc.start() == "REMOVABLE"


def test_the_network_goes_first_where_the_site_wants_it(pc: TinyPc) -> None:
    pc.serves_network("NETWORK")
    assert pc.start() == "REMOVABLE"  # the firmware puts the card behind the disk
    done = fitted(pc)
    assert [one.label.split(" (")[0] for one in done.tried][:2] == [
        "UEFI PXEv4",
        LABEL,
    ]
    assert pc.start() == "NETWORK"
    pc.card = ()
    assert pc.start() == "DEBIAN"


def test_what_the_firmware_does_not_keep_is_an_error(pc: TinyPc) -> None:
    store = pc.variables()
    old = read_table(store)
    new = planning.added(old, entry(pc, DEBIAN))
    kept = store.write
    store.write = lambda name, value: kept(name, value) if name != "BootOrder" else None  # type: ignore[method-assign]
    with pytest.raises(WriteError, match="its order is"):
        write(store, old, new)
    pc.put_back(store)
    assert pc.start() == "REMOVABLE"
