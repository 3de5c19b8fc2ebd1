# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory may say, and the sentence a wrong one gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oglib.deploy.jobs import WORKS, as_dict
from oglib.deploy.netboot import parse_job
from oglib.settings import Settings
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import LOCAL_DISK, After, Job, Kind, Work
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.reading import load, parse

HERE = Path(__file__).parents[1]
EXAMPLE = HERE.parents[2] / "pxe" / "examples" / "classroom.toml"
MINIMAL = (HERE / "data" / "minimal.toml").read_text("utf-8")
BENCH = (HERE / "data" / "bench.toml").read_text("utf-8")


def read(text: str, *, allow_test: bool = False) -> Inventory:
    return parse(text, source="site.toml", allow_test=allow_test)


def client(**fields: str) -> str:
    lines = {"mac": "52:54:00:00:00:01", "name": "pc1"} | fields
    return "\n[[clients]]\n" + "".join(f'{k} = "{v}"\n' for k, v in lines.items())


def test_minimal_inventory_starts_the_disk() -> None:
    inventory = read(MINIMAL)
    assert [e.name for e in inventory.entries] == [LOCAL_DISK]
    assert inventory.entry_of(None).kind is Kind.LOCALDISK
    assert inventory.choices_of(None).repository == "10.0.2.2"


def test_pc_over_room_over_server() -> None:
    inventory = load(EXAMPLE)
    started = {c.name: inventory.entry_of(c).name for c in inventory.clients}
    assert started == {
        "aula1-pc01": "localdisk",
        "aula1-pc02": "install-debian",
        "lab-pc01": "oglive",
        "admin": "maintenance",
    }
    waits = {c.name: inventory.timeout_s_of(c) for c in inventory.clients}
    assert waits == {"aula1-pc01": 10, "aula1-pc02": 10, "lab-pc01": 3, "admin": 10}


@pytest.mark.parametrize(
    "written", ["52:54:00:AB:cd:01", "52-54-00-ab-cd-01", "525400ABCD01", "5254.00Ab.cd01"]
)
def test_mac_is_normalised(written: str) -> None:
    assert read(MINIMAL + client(mac=written)).clients[0].mac == "52:54:00:ab:cd:01"


def test_a_title_keeps_its_accents() -> None:
    inventory = read(MINIMAL + '[rooms.a]\ntitle = "Aula de  Informática"\n')
    assert inventory.rooms[0].title == "Aula de Informática"


ENTRY = MINIMAL + '[entries.e]\ntitle = "E"\n'
OWN = MINIMAL + 'dhcp = "own"\n'

REFUSED = {
    "no server": ("", "site.toml:1: [server]: is missing"),
    "not TOML": ("[server", "site.toml:1: not valid TOML"),
    "unknown table": (MINIMAL + "[romos.x]\n", "romos: is not a known key"),
    "unknown key": (MINIMAL + "htp_port = 80\n", "[server] htp_port: is not a known key"),
    "missing key": ("[server]\n", "[server] address: is missing"),
    "port": (MINIMAL + "http_port = 70000\n", "[server] http_port: 70000 is not between"),
    "port as bool": (MINIMAL + "http_port = true\n", "[server] http_port: True is not a whole"),
    "address outside": (MINIMAL.replace("2.0/24", "3.0/24"), "[server] address: 10.0.2.2 is not"),
    "subnet with host bits": (MINIMAL.replace("2.0/24", "2.7/24"), "[server] subnet:"),
    "own without range": (OWN, "[server] dhcp_range: must name"),
    "range backwards": (OWN + 'dhcp_range = ["10.0.2.9", "10.0.2.8"]\n', "[server] dhcp_range:"),
    "range with server": (OWN + 'dhcp_range = ["10.0.2.1", "10.0.2.8"]\n', "server's own address"),
    "range with proxy": (MINIMAL + 'dhcp_range = ["10.0.2.8", "10.0.2.9"]\n', "means nothing"),
    "shim with proxy": (MINIMAL + 'uefi_loader = "shim"\n', "[server] uefi_loader:"),
    "interface": (MINIMAL.replace("eth0", "eth0 dhcp-script=/x"), "[server] interface:"),
    "repository": (MINIMAL + 'repository = "a b:80"\n', "[server] repository:"),
    "repository port": (MINIMAL + 'repository = "a:0"\n', "[server] repository:"),
    "default entry": (MINIMAL + 'default_entry = "x"\n', "[server] default_entry: there is no"),
    "tftp root": (MINIMAL + 'tftp_root = "/srv/a,b"\n', "[server] tftp_root:"),
    "entry name": (MINIMAL + '[entries."a b"]\ntitle = "x"\n', "[entries.a b] name:"),
    "entry without title": (MINIMAL + "[entries.x]\n", "[entries.x] title: is missing"),
    "second disk": (ENTRY + 'kind = "localdisk"\n', "[entries.e] kind:"),
    "profile": (ENTRY + 'profile = "test"\n', "[entries.e] profile: `test` has an open root"),
    "debug": (ENTRY + 'profile = "debug"\n', "[entries.e] profile: `debug` has an open root"),
    "unknown profile": (ENTRY + 'profile = "x"\n', "none of default, test, debug"),
    "version": (ENTRY + 'version = "../x"\n', "[entries.e] version:"),
    "argument": (ENTRY + 'args = ["a b"]\n', "[entries.e] args:"),
    "argument line break": (ENTRY + 'args = ["a\\nboot"]\n', "[entries.e] args:"),
    "argument expansion": (ENTRY + 'args = ["a=${x}"]\n', "[entries.e] args:"),
    "argument not text": (ENTRY + "args = [1]\n", "[entries.e] args: 1 is not a string"),
    "owned argument": (ENTRY + 'args = ["ogrepo=1.2.3.4"]\n', "use `repository` in [server]"),
    "console": (ENTRY + 'console = ["ttyS0 init=/bin/sh"]\n', "[entries.e] console:"),
    "job without disk": (ENTRY + 'job = { deploy = "d" }\n', "[entries.e] job disk: is missing"),
    "job on disk 0": (
        ENTRY + 'job = { deploy = "d", disk = 0, partition = 1 }\n',
        "[entries.e] job disk: '0' is not a disk",
    ),
    "job disk with colon": (
        ENTRY + 'job = { deploy = "d", disk = "a:b", partition = 1 }\n',
        "[entries.e] job disk: 'a:b' is not a disk",
    ),
    "disk rule's name": (MINIMAL + '[rooms.r]\ndisks = { "a b" = "1" }\n', "[rooms.r] disks:"),
    "disk rule's value": (MINIMAL + "[rooms.r]\ndisks = { system = 1 }\n", "is not a string"),
    "disk rule as argument": (ENTRY + 'args = ["ogdisk.system=1"]\n', "use `disks` of a room"),
    "job with blank": (ENTRY + 'job = { deploy = "a b", disk = 1, partition = 1 }\n', "job deploy"),
    "job partition": (ENTRY + 'job = { deploy = "a", disk = 1, partition = 0 }\n', "job partition"),
    "job without work": (ENTRY + "job = { disk = 1, partition = 1 }\n", "job deploy: is missing"),
    "job of two works": (
        ENTRY + 'job = { create = "a", restore = "b", disk = 1 }\n',
        "job create: stands beside `restore`",
    ),
    "job deploys no partition": (
        ENTRY + 'job = { deploy = "a", disk = 1 }\n',
        "job partition: is missing",
    ),
    "job restores with a layout": (
        ENTRY + 'job = { restore = "a", disk = 1, layout = "uefi" }\n',
        "job layout: means nothing with `restore`",
    ),
    "job updates the cache of a disk": (
        ENTRY + 'job = { update_cache = "a", disk = 1 }\n',
        "job disk: means nothing with `update_cache`",
    ),
    "job creates a version": (
        ENTRY + 'job = { create = "a@2", disk = 1 }\n',
        "job create: 'a@2' is not the name of an image",
    ),
    "job of a version without a number": (
        ENTRY + 'job = { update_cache = "a@" }\n',
        "job update_cache: 'a@' names no version",
    ),
    "job of an unknown work": (
        ENTRY + 'job = { work = "erase" }\n',
        "job work: 'erase' is none of",
    ),
    "job of a work by its image": (
        ENTRY + 'job = { work = "deploy", disk = 1 }\n',
        "job work: `deploy` names its image",
    ),
    "job with a key of another work": (
        ENTRY + 'job = { work = "boot", disk = 1, partition = 1, layout = "x" }\n',
        "job layout: means nothing with `boot`, only with `deploy`, `partition`",
    ),
    "job partitions without layout": (
        ENTRY + 'job = { work = "partition", disk = 1 }\n',
        "job layout: is missing",
    ),
    "job lists software of nothing": (
        ENTRY + 'job = { work = "inventory", what = "software" }\n',
        "job partition: goes with `what` os or software",
    ),
    "job of a file": (
        ENTRY + 'job = { update_cache = "a.img" }\n',
        "'a.img' is the name of a file",
    ),
    "job of a folder above": (
        ENTRY + 'job = { update_cache = "lab/../a" }\n',
        "job update_cache: 'lab/../a' is not the name of an image",
    ),
    "job of a name too long": (
        ENTRY + f'job = {{ update_cache = "{"a/" * 100}a" }}\n',
        "is not the name of an image",
    ),
    "room entry": (MINIMAL + '[rooms.r]\ndefault_entry = "x"\n', "[rooms.r] default_entry:"),
    "no such room": (MINIMAL + client(room="x"), "[[clients]] number 1 (pc1) room: there is no"),
    "no such entry": (MINIMAL + client(entry="x"), "[[clients]] number 1 (pc1) entry: there is no"),
    "mac": (MINIMAL + client(mac="52:54"), "[[clients]] number 1 (pc1) mac:"),
    "group mac": (MINIMAL + client(mac="01:00:5e:00:00:01"), "[[clients]] number 1 (pc1) mac:"),
    "host name": (MINIMAL + client(name="pc_1"), "[[clients]] number 1 (pc_1) name:"),
    "ip outside": (MINIMAL + client(ip="10.0.3.9"), "[[clients]] number 1 (pc1) ip:"),
    "ip of the net": (MINIMAL + client(ip="10.0.2.255"), "[[clients]] number 1 (pc1) ip:"),
    "ip of the server": (MINIMAL + client(ip="10.0.2.2"), "[[clients]] number 1 (pc1) ip:"),
    "same mac": (MINIMAL + client() + client(mac="525400000001", name="b"), "number 2 (b) mac:"),
    "same name": (
        MINIMAL + client() + client(mac="525400000002", name="PC1"),
        "number 2 (PC1) name:",
    ),
    "same ip": (
        MINIMAL + client(ip="10.0.2.9") + client(mac="525400000002", name="b", ip="10.0.2.9"),
        "[[clients]] number 2 (b) ip: 10.0.2.9 is already that of [[clients]] number 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_place_and_hint(case: str) -> None:
    text, expected = REFUSED[case]
    with pytest.raises(NetbootError) as caught:
        read(text)
    assert re.match(r"site\.toml:[1-9][0-9]*: ", caught.value.message)
    assert expected in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "title", ["a\nboot", "", "\t", "x" * 61, "日" * 31, "a\x7f", "a\rb", "a\x1b[2J", "a\u202eb"]
)
def test_a_title_that_no_screen_shows_is_refused(title: str) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in title)
    with pytest.raises(NetbootError, match=r"\[entries\.e\] title: "):
        read(MINIMAL + f'[entries.e]\ntitle = "{escaped}"\n')


def test_test_profile_only_with_leave() -> None:
    with pytest.raises(NetbootError, match="open root console"):
        read(BENCH)
    assert read(BENCH, allow_test=True).entry("test").directory_of("x") == "oglive-test/2026.11.20"


def test_unreadable_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NetbootError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "marked.toml").write_text("\ufeff" + MINIMAL, "utf-8")
    assert load(tmp_path / "marked.toml") == read(MINIMAL)
    (tmp_path / "latin1.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(NetbootError, match="not UTF-8"):
        load(tmp_path / "latin1.toml")


def test_a_pc_s_disk_rule_comes_before_its_room_s() -> None:
    inventory = read(
        MINIMAL
        + '[rooms.r]\ndisks = { system = "nvme", data = "largest" }\n'
        + client(room="r")
        + 'disks = { system = "1@S6XN" }\n'
    )
    assert inventory.disks_of(inventory.clients[0]) == {"system": "1@S6XN", "data": "largest"}


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ('deploy = "lab1/debian@3", disk = 1, partition = 2', "deploy:lab1/debian@3:1:2"),
        ('restore = "a", disk = "1@S6X", partition = 128', "restore:a:1@S6X:128"),
        ('restore = "lab1/pc", disk = "system"', "restore:lab1/pc:system"),
        ('create = "lab1/debian", disk = 2, partition = 1', "create:lab1/debian:2:1"),
        ('create = "pc", disk = 1', "create:pc:1"),
        ('update_cache = "lab1/debian@12"', "update_cache:lab1/debian@12"),
        ('work = "configure", disk = "system", partition = 2', "configure:system:2"),
        ('work = "adapt", disk = 1, partition = 2', "adapt:1:2"),
        ('work = "adapt", disk = 1, partition = 2, hardware = "any"', "adapt:1:2:any"),
        ('work = "partition", disk = "nvme", layout = "uefi"', "partition:nvme:uefi"),
        ('work = "boot", disk = 1, partition = 3, how = "kexec"', "boot:1:3:kexec"),
        ('work = "boot", disk = 1, partition = 3', "boot:1:3"),
        ('work = "inventory"', "inventory"),
        ('work = "inventory", what = "hardware"', "inventory:hardware"),
        ('work = "inventory", what = "os", disk = 1, partition = 2', "inventory:os:1:2"),
    ],
)
def test_every_job_has_its_words_and_ogLive_takes_them(job: str, words: str) -> None:
    told = read(ENTRY + f"job = {{ {job} }}\n").entry("e").job
    assert told is not None
    assert told.words == words
    taken = parse_job(Settings(job=words))
    assert taken is not None
    assert as_dict(taken)["work"] == told.work


def test_every_work_of_ogLive_is_one_of_the_inventory() -> None:
    assert {str(work) for work in Work} == set(WORKS)


def test_jobs_that_write_to_a_disk_are_known() -> None:
    assert [work for work in Work if Job(work, None, None, None, None, After.STAY).destructive] == [
        Work.DEPLOY,
        Work.RESTORE,
        Work.PARTITION,
    ]
