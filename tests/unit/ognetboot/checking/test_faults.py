# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault that `check` names: a table of its kinds, each with the line where it stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ognetboot.checking.loader_limits import Loaders
from ognetboot.checking.report import Checked, check, claims
from ognetboot.checking.told import Told
from ognetboot.cli import main
from ognetboot.hearing.passwords import set_password
from ognetboot.texts.loaders import ipxe_is_old

NOW = datetime(2026, 11, 27, tzinfo=UTC)
HERE = "# HERE"
OLD, NEW, UNKNOWN = Loaders(old=True), Loaders(old=False), Loaders(old=None)

HEAD = """\
[server]
address = "10.0.2.2"
subnet = "10.0.2.0/24"
interface = "eth0"
"""
ENTRY = HEAD + '[entries.e]\ntitle = "E"\n'
OWN = HEAD + 'dhcp = "own"\n'
RANGE = OWN + 'dhcp_range = ["10.0.2.100", "10.0.2.101"]\n'
SHIM = RANGE + 'uefi_loader = "shim"\n'
STATE = HEAD + 'state = "s"\n[states.s]\nlayout = "uefi"\n'
ROOM = "[rooms.r]\n"
LONG = json.dumps(["a" * 200] * 10)


def pc(number: int = 1, *lines: str, mac: str = "", room: str = "") -> str:
    mac = mac or f'mac = "52:54:00:00:00:{number:02x}"'
    stands = f'room = "{room}"\n' if room else ""
    return f'[[clients]]\n{mac}\nname = "pc{number}"\n{stands}' + "".join(f"{x}\n" for x in lines)


ERRORS = {
    # ---- the text ---------------------------------------------------------------------------
    "not TOML": (HEAD + f"[rooms.a {HERE}\n", "not valid TOML"),
    "a key twice": (HEAD + f'interface = "eth1" {HERE}\n', "not valid TOML"),
    "a quote that is open": (
        HEAD + f'[rooms.r]\ntitle = "Aula {HERE}\n',
        "not valid TOML: a quote is not closed on this line. Write",
    ),
    "a single quote that is open": (
        HEAD + f"[rooms.r]\ntitle = 'Aula {HERE}\n",
        "not valid TOML: a quote is not closed on this line. Write",
    ),
    "quotes of a word processor": (
        HEAD + f"[rooms.r]\ntitle = “Aula” {HERE}\n",
        'not valid TOML: `“` stands where a value is to be. Write "straight quotes"',
    ),
    "text without quotes": (
        HEAD + f"[rooms.r]\ntitle = Aula 1 {HERE}\n",
        "not valid TOML: `A` begins no value. Text stands in quotes",
    ),
    "accent in a header": (
        HEAD + f"[entries.ofimática] {HERE}\ntitle = 'x'\n",
        "not valid TOML: `á` stands in a name. A name takes letters without accents, digits, ",
    ),
    "accent in a key": (
        HEAD + f"[rooms.r]\nañadir = 'x' {HERE}\n",
        "not valid TOML: `ñ` stands in a name. A name takes letters without accents, digits, ",
    ),
    "accent in a name in quotes": (
        HEAD + f'[entries."ofimática"] {HERE}\ntitle = "x"\n',
        "'ofimática' is not a name: letters without accents, digits, ",
    ),
    "unknown key": (HEAD + f"htp_port = 80 {HERE}\n", "not a known key. Did you mean `http_port`?"),
    "unknown table": (HEAD + f"[romos.a] {HERE}\n", "romos: is not a known key. Did you mean"),
    "missing key": (
        f"[server] {HERE}\naddress = '10.0.2.2'\nsubnet='10.0.2.0/24'\n",
        "interface: is",
    ),
    "another type": (HEAD + f"http_port = '80' {HERE}\n", "'80' is not a whole number"),
    "out of bounds": (HEAD + f"http_port = 70000 {HERE}\n", "70000 is not between"),
    "unknown word": (
        HEAD + f'dhcp = "prxy" {HERE}\n',
        "none of own, proxy, off (did you mean proxy?). Correct",
    ),
    "not a name": (HEAD + f'[entries."a b"] {HERE}\ntitle = "x"\n', "'a b' is not a name"),
    "control characters": (ENTRY + f'[rooms.r]\ntitle = "a\\u001b[2J" {HERE}\n', "cannot be shown"),
    # ---- the server -------------------------------------------------------------------------
    "server outside": (
        HEAD.replace("2.2", "3.2", 1).replace('3.2"', f'3.2" {HERE}'),
        "not in the s",
    ),
    "own DHCP without range": (
        OWN.replace("[server]", f"[server] {HERE}"),
        "must name first and last address",
    ),
    "range around the server": (
        OWN + f'dhcp_range = ["10.0.2.1", "10.0.2.9"] {HERE}\n',
        "holds the server's own address",
    ),
    "shim beside a proxy": (
        HEAD + f'uefi_loader = "shim" {HERE}\n',
        "asks the site's DHCP for its",
    ),
    # ---- names that are nowhere -------------------------------------------------------------
    "entry": (
        ENTRY.replace("e]", "oglive]") + f'[rooms.r]\ndefault_entry = "ogliv" {HERE}\n',
        "there is no entry `ogliv`. Did you mean `oglive`?",
    ),
    "entry of a PC": (HEAD + pc(1, f'entry = "19pxeadmn" {HERE}'), "Did you mean `19pxeadmin`?"),
    "room": (HEAD + "[rooms.aula1]\n" + pc(1, f'room = "aula" {HERE}'), "no [rooms.aula]. Did you"),
    "centre": (HEAD + ROOM + f'centre = "x" {HERE}\n', "there is no [centres.x]"),
    "group": (HEAD + pc(1, f'groups = ["x"] {HERE}'), "there is no [groups.x]"),
    "state": (HEAD + ROOM + f'state = "x" {HERE}\n', "there is no [states.x]"),
    "circle of groups": (
        HEAD + f'[groups.a]\nwithin = "b" {HERE}\n[groups.b]\nwithin = "a"\n',
        "lies within itself, by way of a, b",
    ),
    # ---- PCs --------------------------------------------------------------------------------
    "MAC": (HEAD + pc(1, mac=f'mac = "52:54" {HERE}'), "is not a MAC address"),
    "MAC of many": (HEAD + pc(1, mac=f'mac = "01:00:5e:00:00:01" {HERE}'), "no PC's own MAC"),
    "MAC twice": (
        HEAD + pc(1) + pc(2, mac=f'mac = "525400000001" {HERE}'),
        "is already that of [[clients]] number 1 (pc1)",
    ),
    "second MAC twice": (
        HEAD + pc(1) + pc(2, f'macs = ["52-54-00-00-00-01"] {HERE}'),
        "is already that of [[clients]] number 1 (pc1)",
    ),
    "adapter as a PC's": (
        HEAD
        + '[adapters]\nshared = ["00:e0:4c:00:00:01"]\n'
        + pc(1, mac=f'mac = "00-E0-4C-00-00-01" {HERE}'),
        "goes from PC to PC",
    ),
    "neither MAC nor UUID": (HEAD + f'[[clients]] {HERE}\nname = "a"\n', "mac: is missing"),
    "UUID": (HEAD + pc(1, f'uuid = "4c4c" {HERE}'), "is not a UUID"),
    "UUID of a maker": (
        HEAD + pc(1, f'uuid = "03000200-0400-0500-0006-000700080009" {HERE}'),
        "no PC's own UUID",
    ),
    "UUID twice": (
        HEAD
        + pc(1, 'uuid = "4c4c4544-0042-3510-8058-b7c04f4d3132"')
        + pc(2, f'uuid = "4C4C4544-0042-3510-8058-B7C04F4D3132" {HERE}'),
        "is already that of",
    ),
    "host name": (
        HEAD + f'[[clients]]\nmac="525400000001"\nname = "pc_1" {HERE}\n',
        "not a host na",
    ),
    "name twice": (
        HEAD + pc(1) + f'[[clients]]\nmac="525400000002"\nname = "PC1" {HERE}\n',
        "pc1 is already that of",
    ),
    "address outside": (
        HEAD + pc(1, f'ip = "10.0.3.9" {HERE}'),
        "not the address of a PC in the su",
    ),
    "address of the server": (
        HEAD + pc(1, f'ip = "10.0.2.2" {HERE}'),
        "of the server or the router",
    ),
    "address twice": (
        HEAD + pc(1, 'ip = "10.0.2.9"') + pc(2, f'ip = "10.0.2.9" {HERE}'),
        "already",
    ),
    # ---- entries and jobs -------------------------------------------------------------------
    "open console": (ENTRY + f'profile = "debug" {HERE}\n', "has an open root console"),
    "owned argument": (ENTRY + f'args = ["quiet", "ogrepo=x"] {HERE}\n', "use `repository`"),
    "two arguments in one": (ENTRY + f'args = ["a b"] {HERE}\n', "is not one kernel argument"),
    "command line": (
        ENTRY + f"args = {LONG} {HERE}\n" + pc(1),
        "characters, and the kernel reads 2047",
    ),
    "job of two works": (
        ENTRY + f'job = {{ create = "a", restore = "b", disk = 1 }} {HERE}\n',
        "stands beside",
    ),
    "job without disk": (ENTRY + f'job = {{ restore = "a" }} {HERE}\n', "job disk: is missing"),
    "job disk": (ENTRY + f'job = {{ restore = "a", disk = "a b" }} {HERE}\n', "is not a disk"),
    "job disk 0": (ENTRY + f'job = {{ restore = "a", disk = 0 }} {HERE}\n', "'0' is not a disk"),
    "job partition": (
        ENTRY + f'job = {{ deploy = "a", disk = 1, partition = 200 }} {HERE}\n',
        "200 is not between",
    ),
    "job of a file": (ENTRY + f'job = {{ update_cache = "a.img" }} {HERE}\n', "the name of a file"),
    "key of another kind": (
        ENTRY + f'kind = "memtest"\nargs = ["x"] {HERE}\n',
        "only for `oglive`",
    ),
    "custom without template": (
        ENTRY.replace("e]", f"e] {HERE}") + 'kind = "custom"\n',
        "template: is missing",
    ),
    # ---- what scopes say --------------------------------------------------------------------
    "multicast port": (
        HEAD + ROOM + f'multicast = "9001:full-duplex:239.194.2.1:70M:50:60" {HERE}\n',
        "port '9001' is not an even number from 9000 to 9098",
    ),
    "multicast mode": (
        HEAD + ROOM + f'multicast = "9000:fullduplex:239.194.2.1:70M:50:60" {HERE}\n',
        "mode 'full",
    ),
    "multicast address": (
        HEAD + ROOM + f'multicast = "9000:full-duplex:10.0.2.1:70M:50:60" {HERE}\n',
        "no multicast ad",
    ),
    "multicast speed": (
        HEAD + ROOM + f'multicast = "9000:full-duplex:239.194.2.1:1000M:50:60" {HERE}\n',
        "speed '1000M",
    ),
    "multicast clients": (
        HEAD + ROOM + f'multicast = "9000:full-duplex:239.194.2.1:70M:0:60" {HERE}\n',
        "clients '0'",
    ),
    "multicast words": (
        HEAD + ROOM + f'multicast = "9000:full-duplex" {HERE}\n',
        "is not PORT:MODE",
    ),
    "p2p": (HEAD + ROOM + f'p2p = "seed:60" {HERE}\n', "'seed:60' is not MODE:SECONDS"),
    "method": (HEAD + ROOM + f'method = "UNICAST" {HERE}\n', "none of UNICAST-DIRECT"),
    "language": (
        HEAD + ROOM + f'language = "esp" {HERE}\n',
        "none of en, es, ca (did you mean es?)",
    ),
    "time server": (HEAD + ROOM + f'ntp = "pool.ntp.org" {HERE}\n', "is not an IPv4 address"),
    "date": (HEAD + ROOM + f'protected_until = "tomorrow" {HERE}\n', "is not a date"),
    # ---- states -----------------------------------------------------------------------------
    "two defaults": (
        STATE + 'systems = [\n{ partition = 1, image = "a@1", default = true },\n'
        f'{{ partition = 2, image = "b@1", default = true }}, {HERE}\n]\n',
        "systems number 1 is the default already",
    ),
    "a partition twice": (
        STATE + 'systems = [\n{ partition = 1, image = "a@1" },\n'
        f'{{ partition = 1, image = "b@1" }}, {HERE}\n]\n',
        "1 of disk 1 is that of [states.s] systems number 1",
    ),
    "system without image": (
        STATE + f"systems = [{{ partition = 1 }}] {HERE}\n",
        "image: is missing",
    ),
}

WARNINGS = {
    "image without version": (
        STATE + f'systems = [{{ partition = 1, image = "a" }}] {HERE}\n',
        "names no version",
    ),
    "address in the range": (
        RANGE + pc(1, f'ip = "10.0.2.100" {HERE}'),
        "lies in the dynamic range",
    ),
    "range too small": (
        RANGE.replace('101"]', f'101"] {HERE}') + pc(1) + pc(2) + pc(3),
        "3 PCs have no `ip` of their own, and the range holds 2",
    ),
    "serial of a maker": (
        HEAD + pc(1, f'serial = "To be filled by O.E.M." {HERE}'),
        "makers leave",
    ),
    "serial of zeros": (HEAD + pc(1, f'serial = "0000000" {HERE}'), "is what makers leave"),
    "serial twice": (
        HEAD + pc(1, 'serial = "5BXM12"') + pc(2, f'serial = "5bxm12" {HERE}'),
        "that of [[clients]]",
    ),
    "protection is over": (
        HEAD + ROOM + f"protected_until = 2026-06-30 {HERE}\n" + pc(1, room="r"),
        "is past",
    ),
    "name too long for Windows": (
        HEAD + f'[[clients]]\nmac = "525400000001"\nname = "aula-informatica-1" {HERE}\n',
        "has 18 characters, and Windows takes 15",
    ),
    "name of digits": (
        HEAD + f'[[clients]]\nmac = "525400000001"\nname = "101" {HERE}\n',
        "Windows refuses",
    ),
    "room without PCs": (HEAD + f"[rooms.r] {HERE}\n", "no PC stands in it"),
    "group without PCs": (HEAD + f"[groups.g] {HERE}\n", "no PC is in it"),
    "centre without rooms": (HEAD + f"[centres.c] {HERE}\n", "no room belongs to it"),
    "state of nobody": (HEAD + f'[states.s] {HERE}\nlayout = "uefi"\n', "no scope declares it"),
    "rooms of one title": (
        HEAD
        + '[rooms.a]\ntitle = "Aula"\n'
        + f'[rooms.b]\ntitle = "aula" {HERE}\n'
        + pc(1, room="a")
        + pc(2, room="b"),
        "is that of [rooms.a] too",
    ),
    "groups that disagree": (
        HEAD
        + "[groups.a]\ntimeout_s = 1\n[groups.b]\ntimeout_s = 2\n"
        + pc(1, f'groups = ["a", "b"] {HERE}'),
        "a and b say another timeout_s",
    ),
    "sessions that mix": (
        HEAD
        + '[rooms.a]\nmulticast = "9000:full-duplex:239.194.2.1:70M:50:60"\n'
        + f'[rooms.b]\nmulticast = "9000:full-duplex:239.194.2.1:90M:20:60" {HERE}\n'
        + pc(1, room="a")
        + pc(2, room="b"),
        "are those of room:a",
    ),
    "group of another's": (
        HEAD
        + ROOM
        + f'multicast = "9000:full-duplex:224.0.0.1:70M:50:60" {HERE}\n'
        + pc(1, room="r"),
        "224.0.0.1 is not in 239.194.0.0/16",
    ),
    "multicast without session": (
        HEAD + ROOM + f'method = "multicast-direct" {HERE}\n' + pc(1, room="r") + pc(2, room="r"),
        "MULTICAST-DIRECT has no `multicast` session (pc1 and 1 more)",
    ),
    "torrent without p2p": (
        HEAD + f'method = "TORRENT-CACHE" {HERE}\n' + pc(1),
        "TORRENT-CACHE has no `p2p` (pc1)",
    ),
    "no way back": (
        HEAD + f'oglive = "2026.11"\noglive_before = "2026.11" {HERE}\n',
        "there is no way back",
    ),
    "job without end": (
        ENTRY
        + 'job = { restore = "a", disk = 1, after = "reboot" }\n'
        + pc(1, f'entry = "e" {HERE}'),
        "so that the PC does it for ever",
    ),
    "job on a protected PC": (
        ENTRY
        + 'job = { restore = "a", disk = 1, after = "poweroff" }\n[rooms.r]\n'
        + f'protected_until = 2027-01-01\ndefault_entry = "e" {HERE}\n'
        + pc(1, room="r"),
        "is protected from jobs that write to its disk",
    ),
    "setup of a BIOS": (
        ENTRY
        + 'kind = "firmware"\n'
        + pc(1, f'entry = "e" {HERE}', 'firmware = "bios"')
        + pc(2, 'firmware = "uefi"'),
        "has a BIOS, whose setup no program can open",
    ),
    "setup where every PC has a BIOS": (
        ENTRY + f'kind = "firmware" {HERE}\n' + pc(1, 'firmware = "bios"'),
        "every PC has one",
    ),
    "memory test behind shim": (
        SHIM + f'[entries.m]\ntitle = "M"\nkind = "memtest" {HERE}\n',
        "memtest86+ is not signed",
    ),
    "ten entries": (
        HEAD
        + "".join(f'[entries.e{n}]\ntitle = "E"\n' for n in range(9))
        + f'[entries.e9] {HERE}\ntitle = "E"\n',
        "`e9` is number 10 in the menu and has no key",
    ),
    "password behind shim": (
        SHIM + f'[entries.e]\ntitle = "E"\npassword = true {HERE}\n',
        "its menus leave the entry out",
    ),
    "sign that a BIOS has not": (
        HEAD + ROOM + f'title = "Òptica" {HERE}\n' + pc(1, room="r"),
        "iPXE on a BIOS PC has no Ò and shows 'Optica'",
    ),
    "sign that UEFI has not": (
        HEAD + ROOM + f'title = "Aula Žižkov" {HERE}\n' + pc(1, 'firmware = "uefi"', room="r"),
        "UEFI firmware has no Ž ž and shows 'Aula Zizkov'",
    ),
    "sign that no text screen has": (
        HEAD + ROOM + f'title = "教室 1" {HERE}\n' + pc(1, room="r"),
        "has no 教 室 and shows '<6559><5BA4> 1'",
    ),
    "password of a job, which is in no menu": (
        ENTRY + f'job = {{ deploy = "a", disk = "1", partition = 1 }}\npassword = true {HERE}\n',
        "`e` is in no menu, so that nobody is asked for it. Add `in_menu = true`",
    ),
    "address without MAC": (
        HEAD
        + pc(1, f'ip = "10.0.2.9" {HERE}', mac='uuid = "4c4c4544-0042-3510-8058-b7c04f4d3132"'),
        "cannot be given by DHCP",
    ),
}

# The name of the PC is too long for Windows too.
WIDE = (
    HEAD
    + ROOM
    + f'title = "{"x" * 50}" {HERE}\n'
    + f"[[clients]]\nmac = '525400000001'\nname = '{'y' * 30}'\nroom = 'r'\n"
)

OF_OLD_LOADERS = {
    "shim over HTTP": (SHIM.replace('shim"', f'shim" {HERE}'), "stops at `grub>`"),
    "UUID behind shim": (
        SHIM + pc(1, mac=f'uuid = "4c4c4544-0042-3510-8058-b7c04f4d3132" {HERE}'),
        "finds no PC by its UUID",
    ),
}


def checked(tmp_path: Path, text: str, loaders: Loaders = UNKNOWN) -> Checked:
    path = tmp_path / "site.toml"
    path.write_text(text, "utf-8")
    return check(path, allow_test=False, loaders=loaders, now=NOW)


def marked(text: str) -> int:
    return 1 + next(n for n, line in enumerate(text.splitlines()) if HERE in line)


def told(found: Checked, severity: str) -> list[str]:
    return [str(one) for one in found.told if one.severity == severity]


def test_there_are_many_kinds() -> None:
    assert len(ERRORS) + len(WARNINGS) + len(OF_OLD_LOADERS) >= 25


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_has_its_line_and_cause(case: str, tmp_path: Path) -> None:
    text, cause = ERRORS[case]
    errors = told(checked(tmp_path, text), "error")
    assert any(
        line.startswith(f"site.toml:{marked(text)}: error: ") and cause in line for line in errors
    ), errors
    assert len(errors) <= 2


@pytest.mark.parametrize("case", WARNINGS)
def test_a_warning_has_its_line_and_cause(case: str, tmp_path: Path) -> None:
    text, cause = WARNINGS[case]
    found = checked(tmp_path, text, NEW)
    warnings = told(found, "warning")
    assert any(
        line.startswith(f"site.toml:{marked(text)}: warning: ") and cause in line
        for line in warnings
    ), warnings
    assert len(warnings) == 1


@pytest.mark.parametrize("case", OF_OLD_LOADERS)
def test_a_limit_of_old_loaders_is_told_where_they_are_served(case: str, tmp_path: Path) -> None:
    text, cause = OF_OLD_LOADERS[case]
    place = f"site.toml:{marked(text)}: warning: "
    for loaders in (OLD, UNKNOWN):
        found = told(checked(tmp_path, text, loaders), "warning")
        assert any(line.startswith(place) and cause in line for line in found), found
    assert not [line for line in told(checked(tmp_path, text, NEW), "warning") if cause in line]


@pytest.mark.parametrize(
    "text",
    [
        ENTRY + 'kind = "sistema"\ndisk = 1\npartition = 2\n',
        ENTRY + 'kind = "costum"\ntemplate = "x"\n',
        ENTRY + 'kind = "oglife"\nargs = ["quiet"]\n',
        ENTRY.replace("entries.e]", "entries.localdisk]") + 'kind = "disc"\n',
        HEAD + 'dhcp = "onw"\ndhcp_range = ["10.0.2.100", "10.0.2.101"]\n',
        HEAD + 'dhcp = "fo"\nuefi_loader = "shim"\n',
        OWN + 'dhcp_range = ["10.0.2.100", "10.0.2.x"]\n',
        HEAD + pc(1, 'ip = "10.0.2.9"', mac='mac = "525400"'),
        HEAD + pc(1, 'ip = "10.0.2.9"', mac='macs = ["525400"]'),
        ENTRY + 'job = { work = "inventory", what = "oss", disk = "1", partition = 2 }\n',
    ],
)
def test_a_mistake_draws_no_others_behind_it(text: str, tmp_path: Path) -> None:
    found = checked(tmp_path, text, NEW)
    assert len(found.told) == 1, [str(one) for one in found.told]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = HEAD + "htp_port = 1\n" + ROOM + 'centre = "x"\nlanguage = "xx"\n' + pc(1, 'ip = "x"')
    text += pc(1, 'entry = "y"', 'serial = "None"')
    found = checked(tmp_path, text)
    assert [(one.line, one.severity) for one in found.told] == [
        (5, "error"),
        (7, "error"),
        (8, "error"),
        (12, "error"),
        (14, "error"),
        (15, "error"),
        (16, "error"),
        (17, "warning"),
    ]


def test_a_line_that_is_wider_than_the_screen_is_told(tmp_path: Path) -> None:
    first, second = told(checked(tmp_path, WIDE, NEW), "warning")
    assert first.startswith(f"site.toml:{marked(WIDE)}: warning: [rooms.r] title: ")
    assert "it takes 83 columns, and the line above the menu has 74" in first
    assert "Windows takes 15" in second


def test_a_script_for_grub_is_missed_where_shim_starts_it(tmp_path: Path) -> None:
    text = SHIM + '[entries.e]\ntitle = "E"\nkind = "custom"\ntemplate = "local"\n'
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom/local.ipxe").write_text("exit\n")
    causes = [(one.file, one.cause[:14]) for one in of_template(checked(tmp_path, text, NEW))]
    assert causes == [
        ("custom/local.ipxe", "does not begin"),
        ("custom/local.cfg", "is not there, "),
    ]


def test_a_table_with_a_fault_is_still_there(tmp_path: Path) -> None:
    """A room that has a mistake is not told again by each of its PCs."""
    found = checked(tmp_path, HEAD + ROOM + "timeout_s = -1\n" + pc(1, room="r") + pc(2, room="r"))
    assert len(found.told) == 1


CUSTOM = ENTRY + 'kind = "custom"\ntemplate = "local"\n'


def of_template(found: Checked) -> list[Told]:
    return [one for one in found.told if "custom/" in one.file + one.cause]


def test_the_site_s_own_template_is_read(tmp_path: Path) -> None:
    said = of_template(checked(tmp_path, CUSTOM))[0]
    assert said.severity == "error"
    assert (said.file, said.cause) == ("custom/local.ipxe", "is not there")
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom/local.ipxe").write_text(
        "#!ipxe  https:// in a comment\n"
        "chain --timeout 9000 https://a/b || goto failed\n"
        "kernel http://a/b || goto failed\n"
        "initrd --timeout 9000 http://a/c\n"
        "prompt x && poweroff ||\n"
    )
    lines = [
        (one.line, one.severity, one.cause) for one in of_template(checked(tmp_path, CUSTOM, OLD))
    ]
    assert [line[:2] for line in lines] == [
        (2, "error"),
        (3, "warning"),
        (4, "warning"),
        (5, "error"),
    ]
    assert "https:// is not known to iPXE of Debian 12" in lines[0][2]
    assert "poweroff" in lines[3][2]
    assert [one.line for one in of_template(checked(tmp_path, CUSTOM, NEW))] == [3, 4]
    assert {one.severity for one in of_template(checked(tmp_path, CUSTOM, UNKNOWN))} == {"warning"}


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_a_pc_of_two_inventories_is_claimed_twice(tmp_path: Path) -> None:
    uuid = 'uuid = "4c4c4544-0042-3510-8058-b7c04f4d3132"'
    first = write(tmp_path / "a.toml", HEAD + pc(1) + pc(2) + pc(3, mac=uuid))
    second = write(
        tmp_path / "b.toml", HEAD + pc(9) + pc(8, mac='mac = "525400000002"') + pc(7, uuid)
    )
    both = [check(p, allow_test=False, loaders=NEW, now=NOW) for p in (first, second)]
    assert [one.told for one in both] == [(), ()]
    said = claims(both)
    assert [(one.file, one.line, one.severity) for one in said] == [
        ("b.toml", 8, "error"),
        ("b.toml", 11, "error"),
    ]
    assert "pc8 with the MAC 52:54:00:00:00:02 is claimed by" in said[0].cause
    assert said[1].cause.endswith("too, as pc3")
    assert claims([both[0]]) == []


def test_the_exit_code_says_whether_there_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path / "good.toml", HEAD + "[rooms.r]\n")
    assert main(["check", str(good)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("good.toml:5: warning: [rooms.r]: no PC stands in it. ")
    assert out[-1] == f"{good}: 0 errors, 1 warning"
    bad = write(tmp_path / "bad.toml", HEAD + pc(1, 'ip = "x"'))
    assert main(["check", str(bad)]) == 1
    assert "bad.toml:8: error: [[clients]] number 1 (pc1) ip" in capsys.readouterr().out
    assert main(["check", str(good), str(bad), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["errors"], told["warnings"]) == (1, 1)
    assert told["faults"][1] == {
        "file": "bad.toml",
        "line": 8,
        "severity": "error",
        "where": "[[clients]] number 1 (pc1) ip",
        "cause": "'x' is not an IPv4 address",
        "hint": "correct it and render again",
    }
    assert main(["check", str(tmp_path / "none.toml")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_which_ipxe_is_served_is_read_from_its_file(tmp_path: Path) -> None:
    assert ipxe_is_old((tmp_path,)) is None
    for told, old in (
        (b"x", None),
        (b"1.0.0+git-20190125.36a4c85-5.1", True),
        (b"1.21.1+git20250501.e5c2a8d+dfsg-1", False),
    ):
        (tmp_path / "snponly.efi").write_bytes(b"MZ\0" + told + b"\0")
        assert ipxe_is_old((tmp_path,)) is old


def test_what_render_would_miss_is_an_error_of_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ENTRY + f'[rooms.r]\npicture = "campus.png" {HERE}\n' + pc(1, room="r")
    path = write(tmp_path / "site.toml", text)
    assert main(["check", str(path)]) == 1
    said = capsys.readouterr().out
    assert f"site.toml:{marked(text)}: error: [rooms.r] picture: {tmp_path}/campus.png: " in said
    path.write_text(ENTRY)
    assert main(["check", str(path)]) == 0
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr("ognetboot.verbs.check.places", lambda _: (tmp_path / "empty",))
    assert main(["check", str(path)]) == 1
    assert "site.toml:1: error: this inventory needs undionly.kpxe, " in capsys.readouterr().out


def test_a_folder_of_loaders_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "site.toml", ENTRY)
    assert main(["check", str(path), "--loaders", str(tmp_path / "none")]) == 1
    assert f"{tmp_path}/none is no folder to look for loaders in" in capsys.readouterr().err


def test_an_entry_that_no_password_opens_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ENTRY + f"password = true {HERE}\n" + ROOM + pc(1, room="r") + pc(2) + pc(3)
    path = write(tmp_path / "site.toml", text)
    place = f"site.toml:{marked(text)}: warning: [entries.e] password: "
    assert main(["check", str(path)]) == 0
    assert f"{place}no scope has a password, so that `e` opens for nobody. Set one with `ognet" in (
        capsys.readouterr().out
    )
    set_password(path, "room:r", "correct horse")
    assert main(["check", str(path)]) == 0
    assert f"{place}pc2 and 1 more stand in no scope that has a password, so that `e` opens" in (
        capsys.readouterr().out
    )
    set_password(path, "all", "correct horse")
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.endswith("0 errors, 0 warnings\n")
