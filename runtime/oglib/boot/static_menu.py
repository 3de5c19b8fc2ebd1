# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot entries written into grub.cfg, for a GRUB that has no command ``blscfg`` to read them. Pure.

Fedora and RHEL keep each kernel in a file of its own, which only their GRUB reads. Where ogLive's
starts the system, the entries stand in the menu, in the place of that command: between two marks,
made anew each time, and put back where they are not needed. What the distribution adds later is
not in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from oglib.boot.default_entry import Start, environment_of, of_bls
from oglib.boot.menu.words import commands_of, quoted
from oglib.errors import OgErr, OgError

_LINE = re.compile(r"[ \t]*(insmod[ \t]+)?blscfg[ \t]*", re.ASCII)
_ANY = re.compile(r"[ \t]*(insmod[ \t]+)?blscfg\b", re.ASCII)
_BEGIN, _END = "### BEGIN ogLive: blscfg ###", "### END ogLive: blscfg ###"
_KEPT = "# ogLive: "
_ABOUT = "# From boot/loader/entries by `og os configure`: run it again after a new kernel."
_ROOT = re.compile(r"(?:^|\s)root=", re.ASCII)
_OPEN_TO_ALL = re.compile(r"^[ \t]*grub_arg[ \t].*--unrestricted", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9/._@+:=,-]+", re.ASCII)
_MOST_VARIABLES = 256


def is_bls(text: str) -> bool:
    """Whether a menu reads boot entries by a command."""
    return any(map(_ANY.match, text.split("\n")))


def without_static(text: str) -> str:
    """The menu as its generator wrote it."""
    if _BEGIN not in text:
        return text
    lines, inside = list[str](), False
    for line in text.split("\n"):
        kept = line.removeprefix(_KEPT)
        if line in (_BEGIN, _END):
            inside = line == _BEGIN
        elif kept != line and _LINE.fullmatch(kept):
            lines.append(kept)
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def with_static(text: str, entries: Mapping[str, str], grubenv: str, uuid: str) -> str:
    """The menu with its entries in the place of ``blscfg``.

    ``entries``: the files of ``loader/entries`` by their names; ``uuid``: of the filesystem that
    their paths begin at. NOTOS where they start no Linux, or the command stands in another form.
    """
    lines = text.split("\n")
    if any(_ANY.match(line) and not _LINE.fullmatch(line) for line in lines):
        raise _cannot("the command blscfg stands in it in a form that is not known")
    block = _block(text, entries, grubenv, uuid)
    made = list[str]()
    for line in lines:
        if not _LINE.fullmatch(line):
            made.append(line)
        elif "insmod" in line:
            made.append(f"{_KEPT}{line}")
        else:
            made += [_BEGIN, f"{_KEPT}{line}", _ABOUT, *block, _END]
            block = []  # a second one would double them
    return "\n".join(made)


def _block(text: str, entries: Mapping[str, str], grubenv: str, uuid: str) -> list[str]:
    starts = of_bls(entries, {**_said(text), **environment_of(grubenv)})
    if not starts:
        raise _cannot("there is no entry that starts a Linux")
    if rootless := next((one for one in starts if not _ROOT.search(one.options)), None):
        raise _cannot(f"the entry {rootless.title[:80]!r} names no root")
    option = " --unrestricted" if all(map(_OPEN_TO_ALL.search, entries.values())) else ""
    return [line for one in starts for line in _entry(one, uuid, option)]


def _entry(start: Start, uuid: str, option: str) -> Iterator[str]:
    words = [word.value for one in commands_of(start.options) for word in one.words]
    yield f"menuentry {quoted(start.title)} --class gnu-linux{option} {{"
    yield f"\tsearch --no-floppy --fs-uuid --set=root {quoted(uuid)}"
    yield f"\tlinux {' '.join(map(_word, (start.kernel, *words)))}"
    if start.initrds:
        yield f"\tinitrd {' '.join(map(_word, start.initrds))}"
    yield "}"


def _word(text: str) -> str:
    """As a generator writes it, where GRUB makes nothing else of it."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def _said(text: str) -> dict[str, str]:
    """The variables that the menu sets to a plain value, the first value of each."""
    said: dict[str, str] = {}
    for command in commands_of(text):
        if command.name == "set" and len(command.words) == 2 and len(said) < _MOST_VARIABLES:
            name, _, value = command.words[1].value.partition("=")
            if "$" not in value:
                said.setdefault(name, value)
    return said


def _cannot(why: str) -> OgError:
    return OgError(
        f"boot/loader/entries cannot be written into GRUB's menu: {why}.",
        hint="What starts the system was left as it was.",
        code=OgErr.NOTOS,
    )
