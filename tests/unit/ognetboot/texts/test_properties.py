# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an inventory holds: it is refused, or what was written reads back as the same data."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

import trying
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import Kind
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.reading import parse
from ognetboot.texts.charsets import Charset
from ognetboot.texts.languages import Language, environment, plain
from ognetboot.texts.preview import lines_of
from ognetboot.texts.render import render
from unit.ognetboot.texts.ipxe_machine import OK, Ipxe

TFTP_ROOT = PurePosixPath("/srv/oglive/netboot")
MINIMAL = (Path(__file__).parents[1] / "data" / "minimal.toml").read_text("utf-8")

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
IMAGES = st.builds(
    "{}{}".format,
    st.lists(NAMES, min_size=1, max_size=4).map("/".join),
    st.from_regex(r"(@[1-9][0-9]{0,8})?", fullmatch=True),
)
HOSTS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
TITLES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
ARGUMENTS = st.lists(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.,:=/@%+~-]{0,20}", fullmatch=True), max_size=20
)
HOSTILE = st.text(st.characters(codec="utf-8"), max_size=30)


def quoted(text: str) -> str:
    return str(json.dumps(text)).replace("\x7f", "\\u007f")


def inventory_text(title: str, args: list[str], host: str, image: str) -> str:
    return (
        MINIMAL
        + f"[entries.e]\ntitle = {quoted(title)}\nargs = [{', '.join(map(quoted, args))}]\n"
        + f"job = {{ deploy = {quoted(image)}, disk = 1, partition = 2 }}\n"
        + f'[[clients]]\nmac = "525400000001"\nname = {quoted(host)}\nentry = "e"\n'
    )


def read(text: str) -> Inventory | None:
    try:
        return parse(text, source="x.toml")
    except NetbootError:
        return None


@given(TITLES, ARGUMENTS, HOSTS, IMAGES)
@trying.examples(60)
def test_what_is_rendered_reads_back(title: str, args: list[str], host: str, image: str) -> None:
    inventory = read(inventory_text(title, args, host, image))
    if inventory is None:
        return
    tree = render(inventory, TFTP_ROOT)
    report = ["ogentry=e", "ogstamp=0"]
    expected = [f"hostname={host}", f"ogjob=deploy:{image}:1:2", "ogafter=stay", *args, *report]

    script = tree[PurePosixPath("ipxe/mac-52-54-00-00-00-01.ipxe")]
    for newer in (False, True):
        known = {"platform": "efi", "netX/mac": "52:54:00:00:00:01", "og_probe": "x"}
        pc = Ipxe(lambda _: (OK, "program"), known, choice="entry_e", newer=newer)
        assert pc.run(script) == "boot"
        assert pc.kernel[2] == "BOOTIF=01-52-54-00-00-00-01"
        assert pc.kernel[-len(expected) :] == expected
    text = tree[PurePosixPath("ipxe/mac-52-54-00-00-00-01.ipxe")]
    shown = [line.text for line in lines_of(text, Charset.UTF8) if line.label == "entry_e"]
    assert [line.decode().split(maxsplit=1)[1] for line in shown] == [title.replace("${", "$ {")]

    grub = tree[PurePosixPath("grub/01-52:54:00:00:00:01")].splitlines()
    (linux,) = [shlex.split(line) for line in grub if line.startswith("  linux ")]
    assert linux[3 + 3 :] == expected
    entries = [shlex.split(line) for line in grub if line.startswith("menuentry ")]
    assert entries[1] == ["menuentry", title, "--id", "entry_e", "--unrestricted", "{"]

    dnsmasq = tree[PurePosixPath("dnsmasq.conf")].splitlines()
    assert all(re.fullmatch(r"(#.*)?|[a-z-]+(=[^ ]+)?", line) for line in dnsmasq)


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
@trying.examples(200)
def test_anything_at_all_is_refused_or_harmless(a: str, b: str, host: str, image: str) -> None:
    inventory = read(inventory_text(a, [b], host, image))
    if inventory is None:
        return
    usual = read(inventory_text("x", ["x"], "x", "x"))
    assert usual is not None
    usual_tree = render(usual, TFTP_ROOT)
    for path, text in render(inventory, TFTP_ROOT).items():
        if path.suffix == ".txt":  # a theme, which holds no title of these
            continue
        assert _bones(text) == _bones(usual_tree[path]), path
        # Texts of GRUB's alone are more than ASCII, and on lines of their own.
        for line in text.splitlines():
            assert line.isascii() or line.startswith("  set og_w"), path


def _bones(text: str) -> list[str]:
    """What a script does, without what it shows: each line's first word, and what it expands."""
    lines = text.splitlines()
    for begins in (":menu", "menuentry"):
        at = [number for number, line in enumerate(lines) if line.startswith(begins)]
        if at:
            lines = lines[at[0] :]
            break
    texts = re.compile(r"\$\{w[0-9]+:string\}")
    return [
        " ".join([line.split(" ")[0], *re.findall(r"\$\{[^}]*\}|\|\|", texts.sub("", line))])
        for line in lines
    ]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Aula d'Informàtica", "Aula d'Informatica"),
        ("a || poweroff && b ; c", "a | poweroff & b , c"),
        ("# a #b ## #||", "+ a b + |"),
        ("-#&& b", "& b"),
        ("--x -y ${net0/mac} \\", "x -y $ {net0/mac} /"),
        ("日本", "??"),
    ],
)
def test_a_title_is_made_plain(title: str, shown: str) -> None:
    assert plain(title) == shown


@pytest.mark.parametrize("language", Language)
@given(value=HOSTILE)
@trying.examples(100)
def test_guard_stops_what_a_template_forgot(language: Language, value: str) -> None:
    template = environment(language).from_string("key {{ value }} rest")
    try:
        line = template.render(value=value)
    except NetbootError:
        return
    assert line == f"key {value} rest"
    assert "\n" not in line
    assert "${" not in line
    assert not {"||", "&&", ";"} & set(line.split())


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_grub_quote_is_one_word(text: str) -> None:
    line = environment(Language.GRUB).from_string("{{ t | grub_quote }}").render(t=text)
    assert shlex.split(line) == [text]


def test_a_name_nobody_set_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        environment(Language.IPXE).from_string("{{ nothing }}").render()


def test_menu_offers_no_job_unless_told() -> None:
    inventory = parse(inventory_text("Wipe", [], "pc", "img"), source="x.toml")
    tree = render(inventory, TFTP_ROOT)
    assert "Wipe" not in tree[PurePosixPath("ipxe/default.ipxe")]
    assert "ogjob" not in tree[PurePosixPath("grub/default")]
    assert [e.name for e in inventory.entries if e.kind is Kind.OGLIVE] == ["e"]


def test_command_line_that_the_kernel_would_cut_is_refused() -> None:
    inventory = parse(inventory_text("t", ["a" * 200] * 10, "pc", "i"), source="x.toml")
    with pytest.raises(NetbootError, match="the kernel command line of pc has"):
        render(inventory, TFTP_ROOT)
