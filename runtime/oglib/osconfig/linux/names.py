# SPDX-License-Identifier: GPL-3.0-or-later
"""The PC's name where a Linux keeps it, whatever its distribution and age; and etc/hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oglib.errors import OgError, UsageError
from oglib.fitting.edits import Edit, Files, bytes_of, changed, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts

_HOSTNAME = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")
_BLANKS = re.compile(r"([ \t\r]+)")
_LOOPBACK = ("127.0.0.1", "127.0.1.1", "::1")
_NAME = "etc/hostname"
_OLD_SUSE = "etc/HOSTNAME"
_MAIL = "etc/mailname"
# Red Hat's before systemd, Gentoo's
_VARIABLES = (("etc/sysconfig/network", "HOSTNAME"), ("etc/conf.d/hostname", "hostname"))
_HOSTS = "etc/hosts"
_NO_NAME = Check(Need.NOT_NEEDED, "this PC was given no name")


def check_hostname(name: str) -> None:
    """Raise unless a Linux takes this name."""
    if not _HOSTNAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a valid host name.")


def hostname(root: Files, facts: PcFacts) -> Check:
    """Every place that this system has; etc/hostname where it has none."""
    if not facts.hostname:
        return _NO_NAME
    check_hostname(facts.hostname)
    own = content(root, _NAME)
    edits = _beside(root, facts.hostname, missing=own is None)
    others = [path for path, _ in _VARIABLES] + [_MAIL]
    left = [f"{path} is not a regular file and stays" for path in others if _is_odd(root, path)]
    if own is None and left and not edits:
        return Check(Need.CANNOT, left[0])
    if own is not None or not edits:
        new, strange = bytes_of(f"{facts.hostname}\n"), _leads_astray(root, own)
        edits.insert(0, Edit(_NAME, own, new, own=strange))
    return edited(edits, "; ".join([facts.hostname, *left]), "; ".join(["already so", *left]))


def _leads_astray(root: Files, raw: bytes | None) -> bool:
    """Whether etc/hostname is a link to a file that holds no name: that one stays."""
    lines = words_of(raw or b"").split("\n")
    said = "\n".join(line for line in lines if not line.startswith("#")).strip()
    return root.link_target(_NAME) is not None and re.fullmatch(r"[\w.-]*", said) is None


def _is_odd(root: Files, path: str) -> bool:
    """Something that nobody reads a name from; a folder of that name SUSE has."""
    usual = root.is_regular(path) or root.is_directory(path) or root.link_target(path) is not None
    return root.exists(path) and not usual


def _beside(root: Files, name: str, *, missing: bool) -> list[Edit]:
    """The other places. ``missing``: there is no etc/hostname."""
    edits = [
        _with_variable(root, path, variable, name, missing=missing)
        for path, variable in _VARIABLES
        if root.exists(path) and not root.is_directory(path) and not _is_odd(root, path)
    ]
    # SUSE's link to etc/hostname is that file; before, it was the file itself
    if root.is_regular(_OLD_SUSE) and (missing or root.is_regular(_NAME)):
        edits.append(Edit(_OLD_SUSE, content(root, _OLD_SUSE), bytes_of(f"{name}\n")))
    old, raw = _old_name(root), None if _is_odd(root, _MAIL) else content(root, _MAIL)
    mail = words_of(raw or b"").strip()
    if mail and mail in (old, old.partition(".")[0]):
        edits.append(Edit(_MAIL, raw, bytes_of(f"{name}\n")))
    return edits


def _with_variable(root: Files, path: str, variable: str, name: str, *, missing: bool) -> Edit:
    return changed(root, path, lambda text: adapt_variable(text, variable, name, missing=missing))


def adapt_variable(text: str, variable: str, value: str, *, missing: bool) -> str:
    """A shell assignment with another value, quoted as it was; ``missing``: made where it is not.

    Comments behind it and all other lines stay.
    """
    line = re.compile(rf"([ \t]*{variable}=)([\"']?)[^\"'\s#]*\2((?:[ \t\r].*)?)", re.DOTALL)
    lines = text.split("\n")
    found = [(at, match) for at, one in enumerate(lines) if (match := line.fullmatch(one))]
    for at, match in found:
        lines[at] = f"{match[1]}{match[2]}{value}{match[2]}{match[3]}"
    if missing and not found:
        lines = [*(lines if lines[-1] else lines[:-1]), f"{variable}={value}", ""]
    return "\n".join(lines)


def hosts(root: Files, facts: PcFacts) -> Check:
    """The lines of etc/hosts that give this PC a name."""
    if not facts.hostname:
        return _NO_NAME
    check_hostname(facts.hostname)
    old = _old_name(root)
    edit = changed(root, _HOSTS, lambda text: adapt_hosts(text, old, facts.hostname))
    return edited([edit], facts.hostname)


def _old_name(root: Files) -> str:
    """The name that the system has; empty where it has none, or none that can be read."""
    try:
        for path in (_NAME, _OLD_SUSE):
            if name := words_of(content(root, path) or b"").strip():
                return name
        for path, variable in _VARIABLES:
            said = re.search(
                rf"^[ \t]*{variable}=[\"']?([^\"'\s#]+)", words_of(content(root, path) or b""), re.M
            )
            if said:
                return said[1]
    except OgError:
        pass  # what is there in its place is told by ``hostname``
    return ""


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
