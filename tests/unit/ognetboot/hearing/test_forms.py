# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs say at `/netboot/do/`, and what it does: no more than it may."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from ognetboot.assigning.model import Assigned, Assignment
from ognetboot.assigning.store import Store
from ognetboot.cli import main
from ognetboot.hearing import passwords
from ognetboot.hearing.seen import seen_of
from ognetboot.hearing.waiting import waiting_of
from unit.ognetboot.serving.server import ADAPTER, MAC, UUID, Site, asked

NOW = datetime.now(UTC)
SECRET = "correct horse"  # noqa: S105


def give(file: Path, **words: object) -> Assignment:
    one = Assignment("0123456789ab", "pc:pc01", "oglive", "test", NOW, **words)  # type: ignore[arg-type]
    with Store(file).changing("test", NOW) as change:
        change.assigned = change.assigned.plus(one)
    return one


def assigned(file: Path) -> Assigned:
    return Store(file).read()


# ---- reports ------------------------------------------------------------------------------------


def test_a_report_is_kept_and_uses_up_what_was_given_once(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        stamp = give(site.file, boots=1).stamp("pc01", NOW)
        query = f"mac={MAC.replace(':', '-')}&entry=oglive&stamp={stamp}&oglive=r20261127"
        for _ in range(2):
            answer = await site.get(f"/netboot/do/reached?{query}")
            assert (answer.status, answer.body) == (204, b"")
        assert assigned(site.file).all[0].left("pc01", NOW) == 0
        assert len(site.woken) == 1
        assert (await site.post("/netboot/do/reached", query.encode())).status == 204
        site.reports.write()
        seen = seen_of(site.file)["pc01"]
        assert (seen.entry, seen.ip, seen.oglive) == ("oglive", "127.0.0.1", "r20261127")

    asked(tmp_path, ask)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("mac=nonsense&entry=oglive", 400),
        (f"mac={MAC}", 400),
        (f"mac={MAC}&entry=a%20b", 400),
        (f"mac={MAC}&entry=../../x", 400),
        (f"mac={MAC}&entry=" + "e" * 5000, 400),
        ("mac=52:54:00:ff:ff:ff&entry=oglive&stamp=0123456789abx1", 204),
        (f"mac={MAC}&entry=oglive&stamp=ffffffffffffx1", 204),
        (f"mac={MAC}&entry=oglive&stamp=" + "f" * 500, 204),
    ],
)
def test_a_report_of_anything_else_changes_nothing(tmp_path: Path, query: str, status: int) -> None:
    async def ask(site: Site) -> None:
        give(site.file, boots=1)
        assert (await site.get(f"/netboot/do/reached?{query}")).status == status
        assert assigned(site.file).all[0].left("pc01", NOW) == 1
        assert site.woken == []
        site.reports.write()
        assert set(seen_of(site.file)) <= {"pc01"}

    asked(tmp_path, ask)


def test_show_says_when_a_pc_was_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask(site: Site) -> None:
        await site.get(f"/netboot/do/reached?mac={MAC}&entry=oglive&oglive=r20261127")
        site.reports.write()
        capsys.readouterr()
        assert main(["show", "pc01", "--inventory", str(site.file)]) == 0
        (line,) = [one for one in capsys.readouterr().out.splitlines() if "last seen" in one]
        assert line.endswith("oglive at 127.0.0.1, ogLive r20261127")

    asked(tmp_path, ask)


def test_what_a_pc_saw_on_its_disks_stays_known_when_its_loader_reports(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        report = f"/netboot/do/reached?mac={MAC}&entry=oglive"
        await site.get(f"{report}&disks=1&d1p2=debian%403&dXp1=x")
        await site.get(f"/netboot/do/reached?mac={MAC}&entry=localdisk")
        site.reports.write()
        seen = seen_of(site.file)["pc01"]
        assert (seen.entry, seen.systems) == ("localdisk", {"1:2": "debian@3"})
        assert seen.looked is not None
        assert seen.looked < seen.at

    asked(tmp_path, ask)


def test_a_job_that_may_change_the_disks_makes_them_unknown_until_it_was_looked(
    tmp_path: Path,
) -> None:
    async def ask(site: Site) -> None:
        report = f"/netboot/do/reached?mac={MAC}&entry=oglive"
        await site.get(f"{report}&disks=1&d1p2=debian%403&d1p3=")
        site.reports.write()
        assert seen_of(site.file)["pc01"].systems == {"1:2": "debian@3", "1:3": ""}
        await site.get(f"{report}&disks=0")
        await site.get(f"/netboot/do/reached?mac={MAC}&entry=localdisk")
        site.reports.write()
        seen = seen_of(site.file)["pc01"]
        assert (seen.systems, seen.looked) == (None, None)
        await site.get(f"{report}&disks=1")
        site.reports.write()
        assert seen_of(site.file)["pc01"].systems == {}

    asked(tmp_path, ask)


# ---- registration -------------------------------------------------------------------------------


def test_an_unknown_pc_waits_with_a_number(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        room = quote('Aula d\'Informàtica "1" ; touch x')
        query = (
            f"mac=52:54:00:ff:00:01&uuid={UUID[:-1]}6&serial=S1234&name=pc09&room={room}"
            "&manufacturer=ACME&product=Box%20%24%7Bx%7D&platform=efi"
        )
        for _ in range(2):
            answer = await site.get(f"/netboot/do/register.ipxe?{query}")
            assert answer.status == 200
            assert answer.text.startswith("#!ipxe\n")
            assert "number 1" in answer.text
            assert "touch" not in answer.text
        (one,) = waiting_of(site.file).registrations
        assert (one.number, one.claim.mac, one.address) == (1, "52:54:00:ff:00:01", "127.0.0.1")
        assert one.word("room") == 'Aula d\'Informàtica "1" ; touch x'
        assert one.word("platform") == "efi"

    asked(tmp_path, ask)


def test_who_is_known_need_not_wait_but_a_shared_adapter_makes_nobody_known(
    tmp_path: Path,
) -> None:
    async def ask(site: Site) -> None:
        for query in (f"mac={MAC}", f"mac={ADAPTER}&uuid={UUID.upper()}"):
            assert "pc0" in (await site.get(f"/netboot/do/register.ipxe?{query}&name=x")).text
        assert waiting_of(site.file).registrations == ()
        await site.get(f"/netboot/do/register.ipxe?mac={ADAPTER}&uuid={UUID[:-1]}7")
        assert [one.claim.uuid[-1] for one in waiting_of(site.file).registrations] == ["7"]

    asked(tmp_path, ask)


@pytest.mark.parametrize(
    "name", ["a%20b", "-a", "a%0d%0achain%20x", "%24%7Bx%7D", "%C3%A1", "a" * 64]
)
def test_what_is_no_name_is_not_registered_and_not_said_again(tmp_path: Path, name: str) -> None:
    async def ask(site: Site) -> None:
        answer = await site.get(f"/netboot/do/register.ipxe?mac=52:54:00:ff:00:01&name={name}")
        assert answer.status == 200
        assert "chain x" not in answer.text
        assert "${x}" not in answer.text
        assert waiting_of(site.file).registrations == ()

    asked(tmp_path, ask)


# ---- passwords ----------------------------------------------------------------------------------


def unlock(mac: str = MAC, item: str = "maintenance", password: str = SECRET) -> str:
    return f"/netboot/do/unlock.ipxe?mac={mac}&item={item}&password={quote(password)}"


def test_the_right_password_brings_the_script_and_nothing_else_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def ask(site: Site) -> None:
        passwords.set_password(site.file, "room:aula1", SECRET)
        opened = await site.get(unlock())
        assert opened.status == 200
        assert "ogactiveadmin=true" in opened.text
        assert "hostname=pc01" in opened.text
        # That of a room opens nothing for a PC that stands elsewhere, or for nobody's.
        for path in (
            unlock(password="wrong"),
            unlock(password=SECRET + " "),
            unlock(mac="52:54:00:00:00:02"),
            unlock(mac="52:54:00:ff:ff:ff"),
        ):
            refused = await site.get(path)
            assert refused.status == 200
            assert "ogactiveadmin" not in refused.text
        # What is not locked is not opened, and what is not there neither.
        assert (await site.get(unlock(item="oglive"))).status == 404
        assert (await site.get(unlock(item="nothing"))).status == 404

    asked(tmp_path, ask)
    assert "correct" not in caplog.text
    assert "unlock: pc01 at 127.0.0.1: maintenance: opened." in caplog.text


def test_nobody_guesses_for_long(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        passwords.set_password(site.file, "all", SECRET)
        said = [
            (await site.get(unlock(mac=f"52:54:00:ff:ff:{n:02x}", password="x"))).text
            for n in range(6)
        ]
        assert "Too many tries" in said[5]
        assert "ogactiveadmin" not in (await site.get(unlock())).text
        assert "ogactiveadmin" in (await site.get(unlock(), source="127.0.0.9")).text

    asked(tmp_path, ask)


def test_nobody_unknown_opens_anything_while_there_is_an_exam(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        passwords.set_password(site.file, "all", SECRET)
        stranger = unlock(mac="52:54:00:ff:ff:ff")
        assert "ogactiveadmin" in (await site.get(stranger)).text
        give(site.file, exam=True, end=NOW + timedelta(hours=1))
        refused = await site.get(stranger)
        assert "ogactiveadmin" not in refused.text
        assert "may not start that now" in refused.text

    asked(tmp_path, ask)


def test_no_password_opens_anything_in_an_exam(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        passwords.set_password(site.file, "all", SECRET)
        give(site.file, exam=True, end=NOW + timedelta(hours=1))
        refused = await site.get(unlock())
        assert "ogactiveadmin" not in refused.text
        assert "may not start that now" in refused.text

    asked(tmp_path, ask)


def test_a_password_file_that_others_read_opens_nothing(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        passwords.set_password(site.file, "all", SECRET)
        passwords.passwords_file(site.file).chmod(0o644)
        assert (await site.get(unlock())).status == 503

    asked(tmp_path, ask)
