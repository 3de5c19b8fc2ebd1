# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC's screen shows, drawn from the rendered script itself as the loader draws it.

iPXE puts the title into the middle of row 1 and each line into a buffer of 78 bytes from row 3 on,
the text cut at 74, the seconds that are left at the end of the marked one; colours are sequences in
the bytes. GRUB's list is drawn without its picture.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ognetboot.texts.charsets import Charset, decoded

COLUMNS, ROWS = 80, 25
_TITLE_ROW, _FIRST_ROW, _PAD = 1, 3, 2
_LINE_BYTES = COLUMNS - 2
_NORMAL, _MARKED, _GAP = "37;44", "1;37;41", "36;44"
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_/]+)(?::[a-z0-9]+)?\}")
_COLOUR = re.compile(rb"(\x1b\[[0-9;]*m)")
# What a PC that nobody knows tells of itself.
SAMPLE_MAC, SAMPLE_IP = "52:54:00:12:34:56", "192.168.100.100"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a menu; `label` None: it cannot be chosen."""

    label: str | None
    text: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A text screen: its rows, and before which column of each which colour begins."""

    rows: tuple[str, ...]
    colours: tuple[tuple[tuple[int, str], ...], ...] = ()

    def coloured(self) -> Iterator[str]:
        """The rows for a terminal."""
        for row, changes in zip(self.rows, self.colours, strict=True):
            padded = row.ljust(COLUMNS)
            out, at = [f"\x1b[0;{_NORMAL}m"], 0
            for column, colour in changes:
                out += [padded[at:column], f"\x1b[{colour}m"]
                at = column
            yield "".join([*out, padded[at:], "\x1b[0m"])


@dataclass(slots=True)
class _Canvas:
    rows: list[str] = field(default_factory=lambda: [""] * ROWS)
    colours: list[tuple[tuple[int, str], ...]] = field(default_factory=lambda: [()] * ROWS)

    def put(self, row: int, column: int, raw: bytes, colour: str, charset: Charset) -> None:
        text, changes = " " * column, [(column, f"0;{colour}")]
        for part in _COLOUR.split(raw):
            if part.startswith(b"\x1b["):
                changes.append((len(text), part[2:-1].decode("ascii")))
            else:
                text += decoded(part, charset)
        changes.append((len(text), f"0;{_NORMAL}"))
        self.rows[row], self.colours[row] = text.rstrip(), tuple(changes)


def ipxe(
    script: str, charset: Charset, screen: str = "lines", *, mac: str = SAMPLE_MAC,
    ip: str = SAMPLE_IP,
) -> Picture:  # fmt: skip
    """The screen at the label `screen` of a script, as an iPXE of that charset draws it on the PC
    with this card and address."""
    lines = script.splitlines()
    known = _variables(lines, charset)
    known |= {"netX/mac": mac.encode("ascii"), "netX/ip": ip.encode("ascii")}
    canvas = _Canvas()
    menu, default, seconds = _menu(lines[lines.index(f":{screen}") + 1 :], known)
    title = menu[0].text[:_LINE_BYTES]
    canvas.put(_TITLE_ROW, (COLUMNS - len(title)) // 2, title, f"1;{_NORMAL}", charset)
    for row, line in enumerate(menu[1 : ROWS - 4], _FIRST_ROW):
        marked = line.label is not None and line.label == default
        raw = bytearray(b" " * _LINE_BYTES)
        text = line.text[: _LINE_BYTES - 2 * _PAD]
        raw[_PAD : _PAD + len(text)] = text
        if marked and seconds:
            raw[-_PAD - len(seconds) - 2 : -_PAD] = f"({seconds})".encode("ascii")
        colour = _MARKED if marked else _GAP if line.label is None else _NORMAL
        canvas.put(row, 1, bytes(raw), colour, charset)
    return Picture(tuple(canvas.rows), tuple(canvas.colours))


def lines_of(script: str, charset: Charset, screen: str = "lines") -> list[Line]:
    """The lines below the title, with all their bytes."""
    lines = script.splitlines()
    return _menu(lines[lines.index(f":{screen}") + 1 :], _variables(lines, charset))[0][1:]


def _variables(lines: list[str], charset: Charset) -> dict[str, bytes]:
    """What is set before the first screen, for this charset."""
    known: dict[str, bytes] = {}
    section = None
    for line in lines:
        if line == ":menu":
            break
        if line.startswith(":words_"):
            section = None if line == ":words_set" else line.removeprefix(":words_")
        found = re.fullmatch(r"set (\w+):hex ([0-9a-f:]*) \|\|", line)
        if found and section in (None, str(charset)):
            known[found[1]] = bytes.fromhex(found[2].replace(":", ""))
    return known


def _menu(lines: list[str], known: Mapping[str, bytes]) -> tuple[list[Line], str, str]:
    """Title and lines up to `choose`, what it marks, and its seconds."""
    menu: list[Line] = []
    for line in lines:
        words = line.partition(" ||")[0].split(" ")
        match words[0]:
            case "menu":
                menu = [Line(None, _expanded(words[1:], known))]
            case "item":
                menu.append(_item(words[1:], known))
            case "choose":
                waits = "--default" not in words
                default = "" if waits else words[words.index("--default") + 1]
                seconds = "" if waits else words[words.index("--timeout") + 1][:-3]
                first = next((each.label for each in menu if each.label), "")
                return menu, default or first or "", seconds
    raise ValueError("the script shows no menu")


def _item(words: list[str], known: Mapping[str, bytes]) -> Line:
    if words and words[0] == "--gap":
        return Line(None, _expanded(words[2:], known))
    if words[0] == "--key":
        words = words[2:]
    return Line(words[0], _expanded(words[1:], known))


def _expanded(words: list[str], known: Mapping[str, bytes]) -> bytes:
    """Words with one blank between them, each with its variables: iPXE splits first."""
    out = []
    for word in words:
        if not word:
            continue
        raw, at = b"", 0
        for found in _VARIABLE.finditer(word):
            raw += word[at : found.start()].encode("ascii") + known.get(found[1], b"")
            at = found.end()
        out.append(raw + word[at:].encode("ascii"))
    return b" ".join(out)


def grub(menu: str, title: str, hint: str, seconds: str) -> Picture:
    """The entries of a menu of GRUB, its title above and its hints below."""
    names: dict[str, str] = {}
    entries = []
    for line in menu.splitlines():
        words = line.strip()
        if words.startswith("set og_w"):
            name, _, value = words.removeprefix("set ").partition("=")
            names.setdefault(f"${name}", shlex.split(value)[0])
        elif words.startswith("menuentry "):
            shown = shlex.split(words)[1]
            entries.append(names.get(shown, shown))
    rows = ["", title.center(COLUMNS).rstrip(), "", ""]
    rows += [f"{' ' * 12}{'> ' if not at else '  '}{text}" for at, text in enumerate(entries)]
    rows = rows[: ROWS - 4]
    rows += [""] * (ROWS - 4 - len(rows))
    rows += [seconds.center(COLUMNS).rstrip(), hint.center(COLUMNS).rstrip(), "", ""]
    return Picture(tuple(rows))
