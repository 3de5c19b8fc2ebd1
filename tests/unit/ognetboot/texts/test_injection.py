# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a value of an inventory is: it is refused, or no text gets a command more by it.

Each string of an inventory that says everything, and each name in it, is replaced by hostile ones.
What is then written is cut into words as its reader does it: no line may have another shape than
the lines of harmless inventories, and the real programs must read it.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date, time
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trying
from ognetboot.errors import NetbootError
from ognetboot.inventory.reading import parse
from ognetboot.texts.render import render
from unit.ognetboot.texts import real_servers
from unit.ognetboot.texts.ipxe_machine import Ipxe

DATA = Path(__file__).parents[1] / "data"
TFTP_ROOT = PurePosixPath("/srv/oglive/netboot")
OTHER = '[[clients]]\nmac = "52:54:00:00:00:09"\nname = "other"\nentry = "install"\n'
OWN = 'dhcp = "own"\ndhcp_range = ["10.0.2.100", "10.0.2.200"]\nrouter = "10.0.2.1"\n'
FULL = (
    (DATA / "campus.toml")
    .read_text("utf-8")
    .replace('ntp = "10.0.2.1"\n', f'ntp = "10.0.2.1"\n{OWN}')
    + "\n"
    + OTHER
)
Path_ = tuple[str | int, ...]
Tree = dict[PurePosixPath, str]

# What each reader might take for its own.
BITS = st.sampled_from(
    (
        *(
            "||",
            "&&",
            ";",
            "#",
            "`id`",
            "$(id)",
            "${x}",
            "${",
            "}",
            "{",
            "'",
            '"',
            "\\",
            "\\n",
            "\n",
        ),
        *("\r", "\t", "\0", "\x1b[2J", "\x7f", "\u202e", "\u2028", "goto x", "shell", " poweroff "),
        *(":x", "-", "--", "=", ",", "dhcp-script=/x", "} include /etc/passwd;", "'; reboot; '"),
        *("\\'", "é", "日", "<", ">", "%s", "/../", "[x]", "*", "|", "&", "!", "~", "^"),
    )
)
HOSTILE = st.lists(st.one_of(BITS, st.text(max_size=4)), min_size=1, max_size=5).map("".join)


def strings(value: Any, here: Path_ = ()) -> Iterator[Path_]:
    """The place of each string, and (ending in \"\") of each name that the site chose."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if len(here) == 1 and here[0] in ("entries", "rooms", "centres", "groups", "states"):
                yield (*here, name, "")
            yield from strings(inner, (*here, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from strings(inner, (*here, number))
    elif isinstance(value, str):
        yield here


BASE = tomllib.loads(FULL)
PLACES = list(strings(BASE))


def with_hostile(place: Path_, text: str) -> str:
    """The inventory as TOML with that text there."""
    values = copy.deepcopy(BASE)
    inner: Any = values
    *way, last = place
    if last == "":
        *way, last = way
        for step in way:
            inner = inner[step]
        inner[text] = inner.pop(last)
    else:
        for step in way:
            inner = inner[step]
        inner[last] = text
    return "".join(f"{toml(name)} = {toml(value)}\n" for name, value in values.items())


def toml(value: Any) -> str:
    """A value as TOML, all in one line: five hundred inventories are written here."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{toml(name)} = {toml(inner)}" for name, inner in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, date | time):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@cache
def rendered(text: str) -> Tree | None:
    try:
        inventory = parse(text, source="x.toml")
        return render(inventory, TFTP_ROOT)
    except NetbootError:
        return None


# ---- shapes --------------------------------------------------------------------------------------

_WORDS = re.compile(r"set (w\d+|og_[a-z]+):hex ([0-9a-f]{2}(:[0-9a-f]{2})*)? \|\|")


def ipxe_shape(line: str) -> tuple[str, ...]:
    """The commands of a line and what joins them."""
    if _WORDS.fullmatch(line):
        return ("words",)
    label = ":" if line.lstrip().startswith(":") else ""
    words = line.split()[1:] if label else line.split()
    shape, begins = [label], True
    for word in words:
        if word.startswith("#"):
            shape.append("#")
            break
        if word in ("||", "&&", ";") or begins:
            shape.append(word)
        begins = word in ("||", "&&", ";")
    return tuple(shape)


def grub_shape(line: str) -> tuple[str, ...]:
    """The first word of a line, and every sign that GRUB gives a meaning to where it stands."""
    signs, quote, at = [], "", 0
    while at < len(line):
        char = line[at]
        if quote == "'":
            quote = "" if char == "'" else quote
        elif char == "\\":
            at += 1
            signs += ["cut"] if at >= len(line) else []
        elif char == '"':
            quote = "" if quote else char
        elif char == "'" and not quote:
            quote = char
        elif char == "$" or (not quote and char in ";|&<>{}"):
            signs.append(char)
        elif char == "#" and not quote and (at == 0 or line[at - 1] in " ;"):
            break
        at += 1
    first = re.match(r"\s*([^\s;|&'\"]*)", line)
    return (first[1] if first else "", *signs, *(["open"] if quote else []))


def plain_shape(line: str) -> str:
    """A line of a server's file with its plain words left out."""
    return re.sub(r"[A-Za-z0-9_.:/@+~-]+", "w", line)


def json_shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: json_shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [json_shape(inner) for inner in value]
    return type(value).__name__


def shapes(tree: Tree) -> dict[str, set[Any]]:
    """Every shape of line in each kind of file."""
    found: dict[str, set[Any]] = {}
    for path, text in tree.items():
        assert "\0" not in text
        assert "\r" not in text
        lines = text.split("\n")
        if path.suffix == ".ipxe":
            assert not [line for line in lines if line.endswith("\\")]
            found.setdefault("ipxe", set()).update(map(ipxe_shape, lines))
        elif path.name == "kea-dhcp4.conf":
            found[path.name] = {json.dumps(json_shape(json.loads(text)))}
        elif path.suffix == ".conf":
            found.setdefault(path.name, set()).update(map(plain_shape, lines))
        elif path.parent.name != "look":
            found.setdefault("grub", set()).update(map(grub_shape, lines))
    return found


TITLES = ("x", "Dos palabras", "Informàtica", "日本", '#1 - a | b & c; $5 {x} it\'s "so"')


@cache
def harmless() -> dict[str, set[Any]]:
    """The shapes of inventories that nobody meant harm with; names and titles of many kinds."""
    found: dict[str, set[Any]] = {}
    titles = [place for place in PLACES if place[-1] == "title"]
    texts = [with_hostile(place, title) for place in titles for title in TITLES]
    texts += [with_hostile(place, "x") for place in PLACES]
    for text in (FULL, *texts):
        for kind, shape in shapes(rendered(text) or {}).items():
            found.setdefault(kind, set()).update(shape)
    return found


@given(st.sampled_from(PLACES), HOSTILE)
@trying.examples(150)
def test_no_line_has_another_shape(place: Path_, text: str) -> None:
    tree = rendered(with_hostile(place, text))
    if tree is None:
        return
    usual = harmless()
    for kind, found in shapes(tree).items():
        if kind != "kea-dhcp4.conf":
            assert found <= usual[kind], (kind, found - usual[kind])


def test_harmless_shapes_have_no_stranger() -> None:
    """What the comparison rests on: the commands that there are at all."""
    commands = {word for shape in harmless()["ipxe"] for word in shape}
    assert not commands & {"shell", "config", "autoboot", "imgexec", "cert", "sync"}
    firsts = {shape[0] for shape in harmless()["grub"] if not shape[0].startswith("#")}
    known = "|set|unset|export|if|fi|else|elif|for|do|done|function|menuentry|echo|linux|initrd"
    known += "|source|search|chainloader|boot|exit|configfile|sleep|fwsetup|regexp|smbios|insmod"
    known += "|loadfont|clear|terminal_output|og_disk|og_system|og_firmware|og_look|loopback|}"
    assert firsts <= set(known.split("|"))


PROGRAMS = {**real_servers.SERVERS, "grub": real_servers.grub}


@cache
def written() -> dict[str, set[str]]:
    """Every text that any of these values makes, by the program that reads it."""
    found: dict[str, set[str]] = {}
    for place in PLACES:
        for text in (
            'it\'s "so" || b && c; d',
            "é日 $x ${y} `z` $(w) \\ % {y} <z>",
            "a,b=c",
            "ok-1",
        ):
            for path, content in (rendered(with_hostile(place, text)) or {}).items():
                if path.name in PROGRAMS:
                    found.setdefault(path.name, set()).add(content)
                elif path.parts[0] == "grub" and path.parent.name != "look":
                    found.setdefault("grub", set()).add(content)
    return found


@pytest.mark.parametrize("file", PROGRAMS)
def test_the_real_programs_read_all_of_it(file: str, tmp_path: Path) -> None:
    for text in written()[file]:
        assert PROGRAMS[file](text, tmp_path) == "", text


@given(st.sampled_from(PLACES), HOSTILE)
@trying.examples(40)
def test_every_script_still_runs(place: Path_, text: str) -> None:
    tree = rendered(with_hostile(place, text))
    if tree is None:
        return
    for path, script in tree.items():
        if path.suffix != ".ipxe":
            continue
        for newer in (False, True):
            settings_ = {"platform": "efi", "netX/mac": "52:54:00:00:00:01", "netX/ip": "10.0.2.9"}
            pc = Ipxe(lambda _: ("missing", ""), settings_, newer=newer)
            pc.run(script)
            assert pc.ended in ("exit 1", "waits"), (path, pc.ended)
