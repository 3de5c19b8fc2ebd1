# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole site at once: everybody is answered, nothing is lost, and it costs few writes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ognetboot.assigning.model import Assignment
from ognetboot.assigning.store import Store
from ognetboot.hearing import waiting
from ognetboot.hearing.waiting import waiting_of
from unit.ognetboot.serving import server
from unit.ognetboot.serving.server import INVENTORY, Site, asked

PCS = 500
NOW = datetime.now(UTC)


def mac(number: int) -> str:
    return f"52:54:01:00:{number >> 8:02x}:{number & 255:02x}"


def source(number: int) -> str:
    """Each PC has an address of its own."""
    return f"127.1.{number >> 8}.{number % 255 + 1}"


def test_five_hundred_start_and_report_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = "".join(
        f'\n[[clients]]\nmac = "{mac(number)}"\nname = "n{number}"\nroom = "aula1"\n'
        for number in range(PCS)
    )
    monkeypatch.setattr(server, "INVENTORY", INVENTORY + clients)

    async def start(site: Site, number: int, stamp: str) -> None:
        script = await site.get("/netboot/boot.ipxe", source=source(number))
        kernel = await site.get("/oglive/current/ogvmlinuz", source=source(number))
        query = f"mac={mac(number)}&entry=oglive&stamp={stamp}"
        report = await site.get(f"/netboot/do/reached?{query}", source=source(number))
        assert (script.status, len(kernel.body), report.status) == (200, 102400, 204)

    async def ask(site: Site) -> None:
        one = Assignment("0123456789ab", "room:aula1", "oglive", "test", NOW, boots=1)
        with Store(site.file).changing("test", NOW) as change:
            change.assigned = change.assigned.plus(one)
        await asyncio.gather(*(start(site, n, one.stamp(f"n{n}", NOW)) for n in range(PCS)))
        (after,) = Store(site.file).read().all
        assert len(after.used) == PCS
        assert len(site.reports._seen) == PCS

    asked(tmp_path, ask)


def test_a_flood_of_registrations_keeps_to_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST", 150)
    writes: list[Path] = []
    write = waiting._write

    def counted(path: Path, what: waiting.Waiting) -> None:
        writes.append(path)
        write(path, what)

    monkeypatch.setattr(waiting, "_write", counted)

    async def ask(site: Site) -> None:
        answers = await asyncio.gather(
            *(
                site.get(f"/netboot/do/register.ipxe?mac={mac(n)}&name=n{n}", source=source(n))
                for n in range(200)
            )
        )
        assert [one.status for one in answers] == [200] * 200
        numbers = [one.number for one in waiting_of(site.file).registrations]
        assert sorted(numbers) == list(range(1, 151))

    asked(tmp_path, ask)
    assert len(writes) < 100
