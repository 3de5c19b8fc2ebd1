# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot line may say: each reader takes what the list of words says, and no hostile value.

The first stage's own file, in this machine's /bin/sh.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot_line import FIRST, OG, OPENGNSYS, SCRIPTS, START, WORDS, names, retired

ROOT = Path(__file__).resolve().parents[3]
STAGE = ROOT / "image/mkosi.images/first-stage/mkosi.extra"
LIB = STAGE / "usr/lib/oglive"
RUNTIME = ROOT / "image/mkosi.images/root/mkosi.extra"
SAID = (
    "bootif",
    "hostname",
    "ip_card",
    "keyboard",
    "language",
    "ogdebug",
    "ogdns",
    "oglive",
    "oglivedir",
    "ognetmodule",
    "ogntp",
    "ogroot",
    "ogstatus",
    "ogtmpfs",
    "static",
    "static_dns",
    "static_gateway",
    "static_name",
    "static_netmask",
    "static_server",
    "zone",
)
DIGEST = "ab" * 32
SCRIPT = """
set -f
LIB={lib} CMDLINE={cmdline} NEWROOT={root} PROFILE={profile} ROOT_SHA256={digest}
say() {{ echo "SAID $*"; }}
stop() {{ echo "STOP $1"; exit 0; }}
{text}
. {stage}/parameters.sh
read_language
read_parameters
[ -z "$zone" ] || take timezone TZ= is_zone "$zone"
for name in {names} timezone; do eval "printf '%s=%s\\n' $name \\"\\$$name\\""; done
"""
USUAL = {"oglivedir": "oglive/current", "ogstatus": "online", "language": "en"}


def text_function() -> str:
    found = re.search(
        r"^text\(\) \{.*?^\}$", (STAGE / "init").read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    return found[0]


def read(folder: Path, line: str, profile: str = "default") -> tuple[dict[str, str], list[str]]:
    """The variables that this boot line makes, but for those that always are; and what is said."""
    lib, root = folder / "lib", folder / "root/usr/share/zoneinfo/Europe"
    if not lib.exists():
        (lib / "keymaps").mkdir(parents=True)
        (lib / "texts").symlink_to(LIB / "texts")
        for name in ("es", "fr"):
            (lib / "keymaps" / f"{name}.bmap").touch()
        root.mkdir(parents=True)
        (root / "Madrid").touch()
    (folder / "cmdline").write_bytes(line.encode() + b"\n")
    script = SCRIPT.format(
        lib=lib,
        cmdline=folder / "cmdline",
        root=folder / "root",
        profile=profile,
        digest=DIGEST,
        text=text_function(),
        stage=LIB,
        names=" ".join(SAID),
    )
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=folder, capture_output=True, timeout=30, check=True
    )
    assert not done.stderr, done.stderr
    lines = done.stdout.decode().splitlines()
    told = dict(one.partition("=")[::2] for one in lines if re.match(r"[a-z_]+=", one))
    said = [one for one in lines if one.startswith(("SAID", "STOP"))]
    return {k: v.strip() for k, v in told.items() if v.strip() != USUAL.get(k, "")}, said


# ---- who reads what ------------------------------------------------------------------------------


def test_the_first_stage_reads_its_words_and_no_others() -> None:
    text = (LIB / "parameters.sh").read_text()
    body = text.partition("read_language() {")[2].partition("read_ip() {")[0]
    taken = set(re.findall(r"^ +(?:\w+=\* \| )*?([A-Za-z0-9]+)=", body, re.MULTILINE))
    cases = {
        word
        for line in re.findall(r"^ {8}((?:[A-Za-z0-9]+=\S* ?\|? ?)+)\)", body, re.MULTILINE)
        for word in re.findall(r"([A-Za-z0-9]+)=", line)
    }
    assert taken
    assert cases == names(FIRST) | retired()


def test_og_and_the_old_commands_read_words_of_the_list() -> None:
    settings = (ROOT / "runtime/oglib/settings.py").read_text()
    shim = (ROOT / "runtime/oglib/shim/net.py").read_text()
    read_there = set(re.findall(r'words\.get\("(\w+)"', settings))
    read_there |= set(re.findall(r'parameter\("(\w+)"\)', shim))
    assert read_there | {"ogdisk.NAME"} == names(OG)


def test_the_scripts_of_the_start_read_words_of_the_list() -> None:
    folder = RUNTIME / "usr/lib/oglive"
    scripts = "".join(path.read_text() for path in folder.iterdir() if path.is_file())
    assert set(re.findall(r"\$\(told (\w+)\)", scripts)) == names(START)


def test_scripts_get_every_name_of_opengnsys_that_is_a_variable() -> None:
    text = (RUNTIME / "opt/opengnsys/etc/preinit/loadenviron.sh").read_text()
    listed = re.search(r'_og_parameters="([^"]+)"', text)
    assert listed
    assert set(listed[1].split()) == names(SCRIPTS)


def test_every_word_has_one_row() -> None:
    assert len({word.name for word in WORDS}) == len(WORDS)
    assert {word.name for word in OPENGNSYS if not word.readers} == set()


# ---- what they take ------------------------------------------------------------------------------


def test_without_any_word_the_usual_holds(tmp_path: Path) -> None:
    assert read(tmp_path, "ro quiet splash vga=788") == ({}, [])


def test_opengnsys_words(tmp_path: Path) -> None:
    told, said = read(
        tmp_path,
        "quiet ip=10.0.0.7:10.0.0.1:10.0.0.254:255.255.252.0:pc7:eth0:none group=Aula_1"
        " ogrepo=10.0.0.2 oglive=10.0.0.1 oglivedir=ogLive-6.12-r20261127 LANG=es_ES ogntp=10.0.0.3"
        " ogdns=10.0.0.4,10.0.0.5 TZ=Europe/Madrid ogtmpfs=15 ogstatus=offline ognetmodule=r8169",
    )
    assert not said
    assert told == {
        "static": "10.0.0.7",
        "static_server": "10.0.0.1",
        "static_gateway": "10.0.0.254",
        "static_netmask": "255.255.252.0",
        "static_name": "pc7",
        "ip_card": "eth0",
        "oglive": "10.0.0.1",
        "oglivedir": "ogLive-6.12-r20261127",
        "language": "es",
        "keyboard": "es",
        "ogntp": "10.0.0.3",
        "ogdns": "10.0.0.4,10.0.0.5",
        "zone": "Europe/Madrid",
        "timezone": "Europe/Madrid",
        "ogtmpfs": "15",
        "ogstatus": "offline",
        "ognetmodule": "r8169",
    }


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("dhcp", {}),
        ("on", {}),
        (":::::eth1:dhcp", {"ip_card": "eth1"}),
        ("::::pc9::dhcp", {"static_name": "pc9"}),
        ("10.0.0.7::::::", {"static": "10.0.0.7"}),
        ("10.0.0.7:::::eth0", {"static": "10.0.0.7", "ip_card": "eth0"}),
        (
            "10.0.0.7::::::none:10.0.0.4",
            {"static": "10.0.0.7", "static_dns": "10.0.0.4"},
        ),
        ("10.0.0.7::::::10.0.0.4", None),
        (
            "10.0.0.7:::::eth0:off:10.0.0.4:10.0.0.5",
            {"static": "10.0.0.7", "ip_card": "eth0", "static_dns": "10.0.0.4 10.0.0.5"},
        ),
        ("off", None),
        ("none", None),
        ("10.0.0.7", None),
        (":::::eth0:none", None),
        ("10.0.0.7:::::eth0:rarp", None),
        ("10.0.0:::::eth0:none", None),
        ("10.0.0.7:$(reboot):::::none", None),
        ("10.0.0.7:::::../../x:none", None),
        ("10.0.0.7::::-x:eth0:none", {"static": "10.0.0.7", "ip_card": "eth0"}),
    ],
)
def test_both_forms_of_an_address(tmp_path: Path, value: str, told: dict[str, str] | None) -> None:
    found, said = read(tmp_path, f"ip={value}")
    if told is None:
        assert [one for one in said if one.startswith("STOP")], (found, said)
    else:
        assert found == told


@pytest.mark.parametrize("value", ["01-52-54-00-AA-bb-0c", "52:54:00:aa:bb:0c"])
def test_the_card_of_the_firmware(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, f"BOOTIF={value}") == ({"bootif": "52:54:00:aa:bb:0c"}, [])


@pytest.mark.parametrize(
    ("word", "sign"),
    [
        ("LANG=ca_ES.UTF-8", "ca"),
        ("LANG=es", "es"),
        ("LANG=en_GB", "en"),
        ("LANG=esperanto", "en"),
        ("LANG=../../etc/passwd", "en"),
    ],
)
def test_the_screens_language(tmp_path: Path, word: str, sign: str) -> None:
    told, _ = read(tmp_path, word)
    assert told.get("language", "en") == sign
    assert told.get("keyboard", "") == ("es" if sign != "en" else "")


def test_the_keyboard_may_be_another_one(tmp_path: Path) -> None:
    assert read(tmp_path, "LANG=es_ES keyboard=fr")[0]["keyboard"] == "fr"
    told, said = read(tmp_path, "LANG=ca_ES keyboard=xx")
    assert told["keyboard"] == "es"
    assert said == [
        "SAID   No es fa servir keyboard= de la línia d'arrencada: no pot tenir aquest valor"
    ]


def test_a_shell_is_the_debug_profiles_alone(tmp_path: Path) -> None:
    assert read(tmp_path, "ogdebug=true", "debug") == ({"ogdebug": "true"}, [])
    told, said = read(tmp_path, "ogdebug=true")
    assert (told, len(said)) == ({}, 1)
    assert "only the profile debug" in said[0]


@pytest.mark.parametrize("name", sorted(retired()))
def test_a_retired_word_is_told(tmp_path: Path, name: str) -> None:
    told, said = read(tmp_path, f"{name}=img")
    assert (told, said) == (
        {},
        [f"SAID   The boot line's {name}= is left out: this ogLive has no use for it"],
    )


def test_another_root_than_the_first_stages_ends_it(tmp_path: Path) -> None:
    assert read(tmp_path, f"ogrootsha256={DIGEST}") == ({}, [])
    assert read(tmp_path, "ogrootsha256=00")[1][0].startswith("STOP The command line names another")


HOSTILE = (
    "$(touch OWNED)", "`touch OWNED`", "a;touch OWNED", "a'b", 'a"b', "a\\b", "a|b", "a&b", "a<b",
    "*",    "../../etc/passwd", "-x", "", "\x1b[2J", "ñ", "a" * 3 + "\x07", "$HOME", "a..b/..",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(names(FIRST) - {"LANG", "ogdebug"}))
def test_a_hostile_value_is_not_used(tmp_path: Path, name: str) -> None:
    for value in HOSTILE:
        word = value.replace(" ", "${IFS}")
        told, said = read(tmp_path, f"quiet {name}={word}")
        told.pop("zone", None)
        assert not told, (name, value, told)
        assert said or (name, value) == ("TZ", ""), (name, value)
        assert "\x1b" not in "".join(said)
        assert not (tmp_path / "OWNED").exists()


@given(st.text(st.characters(codec="ascii", exclude_characters="\0\n\r\t "), max_size=30))
def test_whatever_a_word_is_the_first_stage_goes_on_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "boot-line"
    folder.mkdir(exist_ok=True)
    line = " ".join(f"{name}={value}" for name in ("oglive", "oglivedir", "ip", "hostname"))
    told, said = read(folder, line)
    for name in ("oglive", "oglivedir", "hostname"):
        assert re.fullmatch(r"[A-Za-z0-9._/:-]*", told.get(name, "")), told
    assert said or told
