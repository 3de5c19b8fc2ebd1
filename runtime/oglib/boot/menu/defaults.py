# SPDX-License-Identifier: GPL-3.0-or-later
"""``/etc/default/grub`` and ``/etc/grub.d``: what makes the system's next update-grub say the same.

Pure. Both are shell, run by the system itself: only plain words are written into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from oglib.boot.menu.shell_lines import Line, lines_of
from oglib.errors import OgErr, OgError, UsageError

_PLAIN = re.compile(r"[A-Za-z0-9._+:,/>@ -]*")
# A value that is one word, quoted or not, of which a shell makes nothing but a value.
_VALUE = r"""'[^']*'|"(?:\\.|[^"\\`])*"|[^\s"'`\\;&|<>()#]*"""
_EXPORT = re.compile(r"[ \t]*export([ \t]+[A-Za-z_][A-Za-z0-9_]*)+[ \t\r]*")
LOCK_PATH = "etc/grub.d/01_oglive_lock"
LOCK_MODE = 0o700  # the digest of the password is nobody's to read


def with_variables(text: str, variables: Iterable[tuple[str, str]]) -> str:
    """The text with these variables; each where it was set last, else at the end.

    NOTWRITE where one is set by anything but a plain assignment, or where the text's end is open.
    """
    for name, value in variables:
        if not _PLAIN.fullmatch(value):
            raise UsageError(f"{name} cannot be {value!r}: it is not a plain word.")
        text = _with_variable(text, name, value)
    return text


def _with_variable(text: str, name: str, value: str) -> str:
    lines, closed = lines_of(text)
    if not closed:
        raise _refused(name, "a quote or block in it is never closed")
    if any("<<" in line.bare for line in lines):
        raise _refused(name, "it has a text within the text (<<)")
    raw = [line.raw for line in lines]
    places = [found for found in enumerate(lines, 1) if _sets(found[1], name)]
    said = f'{name}="{value}"'
    if not places:
        return "\n".join([*(raw if raw[-1] else raw[:-1]), said, ""])
    assignment = re.compile(rf"([ \t]*)({name}=)({_VALUE})((?:[ \t]+#.*|[ \t]*)\r?)")
    for number, line in places:
        found = assignment.fullmatch(line.raw)
        if found is None or not line.whole or "$(" in found[3]:
            raise _refused(name, f"its line {number} is no plain {name}=value")
    assert found is not None  # noqa: S101 - for the type checker: there is one, and each matched
    if found[3] not in (value, f"'{value}'", f'"{value}"'):
        raw[places[-1][0] - 1] = f"{found[1]}{said}{found[4]}"
    return "\n".join(raw)


def _sets(line: Line, name: str) -> bool:
    """Whether the line may give the variable a value; one that only reads or exports it does not.

    What is quoted counts as well, for it may be run.
    """
    if name not in line.code or _EXPORT.fullmatch(line.code):
        return False
    read = rf"\$\{{?{name}(?![A-Za-z0-9_]|:?=)"
    rest = re.sub(read, "", line.code)
    return bool(re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", rest))


def _refused(name: str, why: str) -> OgError:
    return OgError(
        f"{name} is not changed in etc/default/grub: {why}. Nothing was written.",
        hint=f"Set {name} there on a line of its own, once, in the system itself.",
        code=OgErr.NOTWRITE,
    )


def lock_script(user: str, digest: str) -> str:
    """A part of update-grub that writes the lock: ``user`` and digest are plain words."""
    lines = [
        "#!/bin/sh",
        "# Written by ogLive: who may edit the entries of GRUB.",
        "cat <<'EOF'",
        f'set superusers="{user}"',
        "export superusers",
        *([f"password_pbkdf2 {user} {digest}"] if digest else []),
        'menuentry_id_option="--unrestricted $menuentry_id_option"',
        "EOF",
        "",
    ]
    return "\n".join(lines)
