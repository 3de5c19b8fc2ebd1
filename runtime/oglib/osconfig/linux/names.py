# SPDX-License-Identifier: GPL-3.0-or-later
"""The PC's name where a Linux keeps it: etc/hostname and etc/hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oglib.edits import Edit, Files, bytes_of, changed, content, words_of
from oglib.errors import OgError, UsageError
from oglib.fitting import Check, Need, edited
from oglib.osconfig.facts import PcFacts

_HOSTNAME = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")
_BLANKS = re.compile(r"([ \t\r]+)")
_LOOPBACK = ("127.0.0.1", "127.0.1.1", "::1")
_NAME = "etc/hostname"
_HOSTS = "etc/hosts"
_NO_NAME = Check(Need.NOT_NEEDED, "this PC was given no name")


def check_hostname(name: str) -> None:
    """Raise unless a Linux takes this name."""
    if not _HOSTNAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a valid host name.")


def hostname(root: Files, facts: PcFacts) -> Check:
    """The whole of etc/hostname."""
    if not facts.hostname:
        return _NO_NAME
    check_hostname(facts.hostname)
    edit = Edit(_NAME, content(root, _NAME), bytes_of(f"{facts.hostname}\n"))
    return edited([edit], facts.hostname)


def hosts(root: Files, facts: PcFacts) -> Check:
    """The lines of etc/hosts that give this PC a name."""
    if not facts.hostname:
        return _NO_NAME
    check_hostname(facts.hostname)
    old = _old_name(root)
    edit = changed(root, _HOSTS, lambda text: adapt_hosts(text, old, facts.hostname))
    return edited([edit], facts.hostname)


def _old_name(root: Files) -> str:
    try:
        return words_of(content(root, _NAME) or b"").strip()
    except OgError:
        return ""  # what is there in its place is told by ``hostname``


def adapt_hosts(text: str, old_name: str, hostname: str) -> str:
    """On loopback lines the old name becomes the new one, else on the first line of 127.0.1.1.

    Where there is neither, a line is added. Aliases, comments and columns stay, and so does all
    that is no name of this PC: ``localhost.localdomain``, other PCs.
    """
    short = hostname.partition(".")[0]
    new = [hostname, short] if short != hostname else [hostname]
    old = old_name.partition(".")[0]
    if old == "localhost":
        old = ""
    lines = [_renamed(line, old, new) if old else line for line in text.split("\n")]
    if any(hostname in _words(line)[1:] for line in lines):
        return "\n".join(lines)
    own = next((n for n, line in enumerate(lines) if _words(line)[:1] == ["127.0.1.1"]), None)
    if own is not None and len(_words(lines[own])) > 1:
        lines[own] = _renamed(lines[own], _words(lines[own])[1].partition(".")[0], new)
        return "\n".join(lines)
    at = next((n for n, line in enumerate(lines, 1) if line.startswith("127.0.0.1")), 0)
    lines.insert(at, "127.0.1.1\t" + " ".join(new))
    return "\n".join([*lines, ""] if lines[-1] else lines)


def _words(line: str) -> list[str]:
    """Address and names of a loopback line; nothing of any other."""
    words = line.partition("#")[0].split()
    return words if words and words[0] in _LOOPBACK else []


def _renamed(line: str, old: str, new: Sequence[str]) -> str:
    """The line with the names of ``old``, with any domain, replaced by ``new`` at the first."""
    named, hash_mark, comment = line.partition("#")
    pieces = _BLANKS.split(named)  # word, blanks, word, …
    found = range(0, len(pieces), 2) if _words(line) else ()
    ours = [at for at in found if pieces[at].partition(".")[0] == old]
    if not ours or [pieces[at] for at in ours] == list(new):
        return line
    pieces[ours[0]] = " ".join(new)
    for at in ours[1:]:
        pieces[at - 1 : at + 1] = ["", ""]
    return "".join(pieces) + hash_mark + comment
