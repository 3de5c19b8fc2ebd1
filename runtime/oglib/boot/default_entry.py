# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel, initrd and command line a system starts by default: pure, of its loader's texts.

Three kinds: GRUB's menu (``grub.cfg`` with submenus and ``saved_entry``), the files of
``loader/entries`` (BLS: Fedora, RHEL, systemd-boot), and ``menu.lst`` of GRUB legacy. Texts are a
stranger's: read line by line, bounded, and nothing of them is run. What only a script of GRUB
could tell (``if``, functions) is not followed: the last plain ``set default`` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cmp_to_key
from itertools import pairwise

MOST_LINES = 20_000
_MOST_DEPTH = 8
_MOST_VARIABLES, _MOST_VALUE = 256, 4096  # a variable may be made of others, and those of others
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w{0,63})\}|([A-Za-z_]\w{0,63}))", re.ASCII)
_DEVICE = re.compile(r"^\([^()\s]{0,200}\)")
_TOKEN = re.compile(r"""#.*|;|(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s;'"\\])+""")
_QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)""")
_ESCAPED = re.compile(r"""\\(["\\$])""")
_LINUX = ("linux", "linux16", "linuxefi")
_INITRD = ("initrd", "initrd16", "initrdefi")


@dataclass(frozen=True, slots=True)
class Start:
    """One entry. Paths as the loader has them, from the top of the filesystem that it is on."""

    title: str
    kernel: str
    initrds: tuple[str, ...] = ()
    options: str = ""


@dataclass(slots=True)
class _Node:
    """A menu, or an entry of one, while it is read."""

    title: str = ""
    id: str = ""
    start: Start | None = None
    inner: list[_Node] = field(default_factory=list)
    depth: int = 0


def of_grub(text: str, environment: Mapping[str, str], bls: Sequence[Start] = ()) -> Start | None:
    """The default of a grub.cfg; None where it has none that starts a Linux.

    ``environment`` is that of grubenv; ``bls`` the entries that ``blscfg`` brings in, newest first.
    """
    menu, said = _Node(), {**environment, "next_entry": ""}  # which is for one start alone
    stack, default = [menu], ""
    for words in _commands(text):
        name, *rest = words
        here = stack[-1]
        if name in ("menuentry", "submenu"):
            node = _Node(*_called(rest), depth=here.depth + 1)
            here.inner.append(node)
            if rest[-1:] == ["{"] and node.depth <= _MOST_DEPTH:
                stack.append(node)
        elif name == "}" and len(stack) > 1:
            stack.pop()
        elif name == "set" and len(stack) == 1:
            key, _, value = (rest or [""])[0].partition("=")
            value = _filled(value, said)
            if key == "default":
                default = value or default
            elif key not in said and len(said) < _MOST_VARIABLES:
                said[key] = value
        elif name == "blscfg":
            here.inner += [_Node(one.title, one.title, one) for one in bls]
        elif name in _LINUX and len(stack) > 1 and rest:
            options = " ".join(_filled(word, said) for word in rest[1:])
            here.start = Start(
                here.title, _path(_filled(rest[0], said)), (), " ".join(options.split())
            )
        elif name in _INITRD and here.start is not None:
            here.start = replace(
                here.start, initrds=tuple(_path(_filled(word, said)) for word in rest)
            )
    return _chosen(menu, default)


def environment_of(text: str) -> dict[str, str]:
    """The variables of a grubenv file."""
    lines = (line.partition("=") for line in text.split("\n")[:MOST_LINES])
    return {key: value for key, equals, value in lines if equals and not key.startswith("#")}


def of_bls(
    files: Mapping[str, str], environment: Mapping[str, str], wanted: str = ""
) -> tuple[Start, ...]:
    """The entries of ``loader/entries``, by the names of their files, the default one first.

    ``wanted`` is the default that loader.conf names (``*`` at its end is any); else the one that
    ``saved_entry`` of the environment names, else the newest.
    """
    entries = list[tuple[str, Start, str]]()
    for file, text in files.items():
        name = file.removesuffix(".conf")
        start, version = _bls(name, text, environment)
        if start is not None:
            entries.append((name, start, f"{version} {name}"))
    age = cmp_to_key(_newer)
    entries.sort(key=lambda one: age(one[2]))
    named = wanted.removesuffix(".conf") or environment.get("saved_entry", "")
    first = [one for one in entries if _is_named(one[0], one[1], named)]
    ordered = [*first[:1], *(one for one in entries if one not in first[:1])]
    return tuple(start for _, start, _ in ordered)


def of_loader_conf(text: str) -> str:
    """The entry that loader.conf (systemd-boot) names as the default; empty where it names none."""
    for line in text.split("\n")[:MOST_LINES]:
        words = line.split(None, 1)
        if len(words) == 2 and words[0] == "default" and not words[1].startswith("@"):
            return words[1].strip()
    return ""


def of_menu_lst(text: str, saved: str = "") -> Start | None:
    """The default of a menu.lst of GRUB legacy; ``saved``: what its file ``default`` says."""
    default, found = 0, list[Start | None]()
    title = ""
    for line in text.split("\n")[:MOST_LINES]:
        name, _, rest = line.strip().replace("\t", " ").partition(" ")
        key, _, value = name.partition("=")
        value = value or rest.strip().lstrip("=").strip()
        if key == "default" and not found:
            number = saved.strip() if value == "saved" else value
            default = int(number) if number.isascii() and number.isdecimal() else 0
        elif key == "title":
            title = value
            found.append(None)
        elif key == "kernel" and found:
            words = [word for word in rest.split() if not word.startswith("--")]
            if words:
                found[-1] = Start(title, _path(words[0]), (), " ".join(words[1:]))
        elif key in ("initrd", "module") and found and (last := found[-1]) is not None:
            found[-1] = replace(last, initrds=(*last.initrds, *map(_path, rest.split()[:1])))
    if default < len(found) and found[default] is not None:
        return found[default]
    return None


def _chosen(menu: _Node, default: str) -> Start | None:
    """What ``default`` names: a number, a title or an id, ``>`` between a submenu and its entry."""
    at = menu
    for word in default.split(">") if default else ["0"]:
        named = [one for one in at.inner if word in (one.title, one.id)]
        if not named and word.isascii() and word.isdecimal() and int(word) < len(at.inner):
            named = [at.inner[int(word)]]
        if not named:  # GRUB takes the first one then
            named = at.inner[:1]
        if not named:
            return None
        at = named[0]
    while at.start is None and at.inner:
        at = at.inner[0]
    return at.start


def _called(words: Sequence[str]) -> tuple[str, str]:
    """Title and id of ``menuentry 'Debian' --class gnu --id simple {``."""
    title = words[0] if words else ""
    for option, value in pairwise(words):
        if option in ("--id", "$menuentry_id_option", "${menuentry_id_option}"):
            return title, value
        if option.startswith("--id="):
            return title, option.removeprefix("--id=")
    return title, ""


def _commands(text: str) -> Iterator[list[str]]:
    """The words of each line that has any; a line that a quote leaves open ends where it ends."""
    for line in text.split("\n")[:MOST_LINES]:
        yield from _parts(list(_words(line)))


def _parts(words: list[str]) -> Iterator[list[str]]:
    """A line's commands: those that ``;`` parts, and a brace that ends a block."""
    part = list[str]()
    for word in words:
        if word == ";":
            if part:
                yield part
            part = []
        elif word == "}" and not part:
            yield ["}"]
        else:
            part.append(word)
    if part:
        yield part


def _words(line: str) -> Iterator[str]:
    """A line's words as GRUB parts them, without their quotes; ``;`` is one of its own."""
    for found in _TOKEN.finditer(line):
        if found[0].startswith("#"):
            return
        yield _QUOTED.sub(_unquoted, found[0])


def _unquoted(match: re.Match[str]) -> str:
    if match[2] is not None:
        return _ESCAPED.sub(r"\1", match[2])
    return match[1] if match[1] is not None else match[3]


def _filled(word: str, said: Mapping[str, str]) -> str:
    """A word with the variables that are known; those that are not are empty, as in GRUB."""
    return _VARIABLE.sub(lambda found: said.get(found[1] or found[2], ""), word)[:_MOST_VALUE]


def _path(word: str) -> str:
    """The path alone of ``(hd0,1)/vmlinuz``, ``($root)/vmlinuz`` or ``/vmlinuz``."""
    return f"/{_DEVICE.sub('', word).lstrip('/')}" if word else ""


def _bls(name: str, text: str, environment: Mapping[str, str]) -> tuple[Start | None, str]:
    """One file; its version beside it, for the order."""
    said: dict[str, list[str]] = {}
    for line in text.split("\n")[:MOST_LINES]:
        words = line.strip().split(None, 1)
        if len(words) == 2 and not words[0].startswith("#"):
            said.setdefault(words[0], []).append(_filled(words[1].strip(), environment))
    if "linux" not in said:
        return None, ""
    title = said.get("title", [name])[0]
    initrds = tuple(_path(word) for value in said.get("initrd", []) for word in value.split())
    options = " ".join(" ".join(said.get("options", [])).split())
    start = Start(title, _path(said["linux"][0].split()[0]), initrds, options)
    return start, said.get("version", [""])[0]


def _is_named(name: str, start: Start, wanted: str) -> bool:
    if wanted.endswith("*"):
        return name.startswith(wanted[:-1])
    return bool(wanted) and wanted in (name, start.title)


def _newer(one: str, other: str) -> int:
    """Below 0 where ``one`` is the newer: numbers as numbers, a rescue entry last of all."""
    rescue = ("rescue" in one) - ("rescue" in other)
    if rescue:
        return rescue
    left, right = _pieces(one), _pieces(other)
    return (left < right) - (left > right)


def _pieces(text: str) -> list[tuple[int, int, str]]:
    found = re.findall(r"\d{1,18}|[A-Za-z]{1,200}", text[:1000], re.ASCII)
    return [(1, int(one), "") if one.isdecimal() else (0, 0, one) for one in found]
