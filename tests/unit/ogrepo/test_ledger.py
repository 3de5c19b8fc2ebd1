# SPDX-License-Identifier: GPL-3.0-or-later
"""What was promised to one upload is not promised to another."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from ogrepo.intake.ledger import SPARE_BYTES, Ledger
from ogrepo.refusal import Refusal


class _Disk:
    """A disk with so much room; what is written to it is taken from that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.free = SPARE_BYTES + room
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=self.free))


def write(ledger: Ledger, disk: _Disk, upload: str, kind: str, count: int) -> None:
    ledger.grow(upload, kind, count)
    disk.free -= count


def refused(status: int) -> pytest.RaisesExc[Refusal]:
    return pytest.raises(Refusal, check=lambda error: error.status == status)


def test_promises_are_kept_against_others(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, ledger = _Disk(monkeypatch, 100), Ledger(Path("/nowhere"))
    ledger.promise("a", 60)
    with refused(507):
        ledger.promise("b", 50)
    ledger.promise("b", 40)
    with refused(507):
        ledger.promise("c", 1)
    with refused(507):
        write(ledger, disk, "c", "image", 1)
    write(ledger, disk, "a", "image", 60)
    write(ledger, disk, "b", "image", 40)
    with refused(507):
        write(ledger, disk, "a", "image", 1)


def test_what_ends_frees_its_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    _Disk(monkeypatch, 100)
    ledger = Ledger(Path("/nowhere"))
    ledger.promise("a", 100)
    ledger.close("a")
    ledger.promise("b", 100)
    ledger.promise("b", 50)  # a new promise takes the place of the one before
    ledger.promise("c", 50)


def test_announced_pieces_are_promised_too(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, ledger = _Disk(monkeypatch, 100), Ledger(Path("/nowhere"))
    ledger.announce("a", "image", 0, 70)
    with refused(507):
        ledger.announce("b", "image", 0, 40)
    write(ledger, disk, "a", "image", 70)
    ledger.announce("b", "image", 0, 30)
    ledger.announce("a", "image", 60, 10)  # the last piece again
    write(ledger, disk, "a", "image", 0)


def test_all_files_of_a_token_have_one_total(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, ledger = _Disk(monkeypatch, 1000), Ledger(Path("/nowhere"), most_bytes=100)
    write(ledger, disk, "a", "image", 60)
    with refused(413):
        write(ledger, disk, "a", "whole/p1.img", 41)
    with refused(413):
        ledger.announce("a", "frames", 0, 41)
    with refused(413):
        ledger.promise("a", 41)
    ledger.announce("a", "image", 0, None)
    write(ledger, disk, "a", "image", 100)


def test_a_restart_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _Disk(monkeypatch, 100)
    ledger = Ledger(Path("/nowhere"))
    ledger.open("a", {"image": 20}, 80)
    with refused(507):
        ledger.promise("b", 41)
    ledger.promise("b", 40)
