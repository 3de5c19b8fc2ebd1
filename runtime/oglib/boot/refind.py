# SPDX-License-Identifier: GPL-3.0-or-later
"""``refind.conf``, the menu of rEFInd: pure, a text in and a text out, by its blocks.

Entries stand in ``menuentry "TITLE" {`` … ``}``, settings in lines of their own outside of them.
What is not meant stays byte for byte. Titles and paths come from folders of an ESP, which anybody
may have named: only those of ``Part-DD-PP`` are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oglib.errors import NotFoundError, OgErr, OgError

FOLDER = "EFI/refind"
CONFIG = f"{FOLDER}/refind.conf"
OGLIVE = "OpenGnsys Live"
LABEL = "rEFInd Boot Manager"
_PART = re.compile(r"Part-[0-9]{2,4}-[0-9]{2,4}")
_ENTRY = re.compile(r"""^\s*menuentry\s+(?:"([^"]*)"|(\S+))\s*\{\s*$""")
_MOST_TIMEOUT_S = 3600
_WHOLE = "timeout 20\nshowtools reboot,shutdown\nscanfor manual\n"
_SCANNING = "timeout 20\nshowtools reboot,shutdown\nscanfor internal,manual\n"


@dataclass(frozen=True, slots=True)
class Loader:
    """What an entry starts: a file of the ESP, or of ``volume`` (a PARTUUID) with its initrd."""

    title: str
    file: str
    volume: str = ""
    initrd: str = ""
    options: str = ""


def is_part(name: str) -> bool:
    """Whether a folder of the ESP is that of a partition's system."""
    return _PART.fullmatch(name) is not None


def config(loaders: Sequence[Loader], *, scanning: bool) -> str:
    """A whole menu with these. ``scanning``: rEFInd looks for others by itself as well."""
    head = _SCANNING if scanning else _WHOLE
    return head + "".join(f"\n{_block(one)}" for one in loaders)


def _block(loader: Loader) -> str:
    lines = [f'menuentry "{loader.title}" {{']
    if loader.volume:
        lines += [f"    volume {loader.volume}", "    ostype Linux"]
    lines.append(f"    loader /{loader.file.lstrip('/')}")
    if loader.initrd:
        lines.append(f"    initrd /{loader.initrd.lstrip('/')}")
    if loader.options:
        # a quotation mark in a quoted word is said twice
        lines.append('    options "' + loader.options.replace('"', '""') + '"')
    return "\n".join([*lines, "}", ""])


def without(text: str, title: str) -> str:
    """Without the entries of this title, and without the default that named it. NOTFOUND: none."""
    lines, depth, found = list[str](), 0, False
    for line, name in _lines(text):
        if depth or name == title:
            found = True
            depth += line.rstrip().endswith("{") - (line.strip() == "}")
        elif _setting(line, "default_selection") != title:
            lines.append(line)
    if not found:
        raise _none(title)
    return "".join(lines)


def with_default(text: str, title: str) -> str:
    """With this entry as the one that starts by itself. NOTFOUND where there is none."""
    if all(name != title for _, name in _lines(text)):
        raise _none(title)
    return _set(text, "default_selection", f'"{title}"')


def with_timeout(text: str, seconds: int) -> str:
    """With a menu that waits so long; OUTOFLIMIT beyond an hour."""
    if not 0 <= seconds <= _MOST_TIMEOUT_S:
        raise OgError(
            f"{seconds} s are not 0 to {_MOST_TIMEOUT_S} for rEFInd's menu.", code=OgErr.OUTOFLIMIT
        )
    # 0 waits for ever; a menu that does not wait at all is -1
    return _set(text, "timeout", str(seconds or -1))


def _none(title: str) -> NotFoundError:
    return NotFoundError(f"rEFInd's menu has no entry {title!r}.", hint=f"See {CONFIG}.")


def _set(text: str, name: str, value: str) -> str:
    """One line of this setting, first of all: rEFInd takes the last of several."""
    kept = [line for line, _ in _lines(text) if not _setting(line, name)]
    return "".join([f"{name} {value}\n", *kept])


def _setting(line: str, name: str) -> str:
    """The value of a line outside of entries that sets ``name``; empty where it does not."""
    words = line.split(None, 1)
    return words[1].strip().strip('"') if len(words) == 2 and words[0] == name else ""


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each line with its end, and the title of an entry that begins there."""
    *whole, last = text.split("\n")
    for line in [*(f"{one}\n" for one in whole), *([last] if last else [])]:
        found = _ENTRY.match(line)
        yield line, (found[1] if found[1] is not None else found[2]) if found else ""
