# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may edit GRUB's entries and has its console: locks in the menu, and the digest of a password.

Pure. A password is never kept: what stands in the menu is GRUB's own PBKDF2 of it.
"""

from __future__ import annotations

import hashlib
import os
import re

from oglib.boot.menu.edits import NAME, Changed, Cut, applied
from oglib.boot.menu.reader import Menu
from oglib.errors import UsageError

_LOCKS = ("password", "password_pbkdf2")
_PASSWORD = re.compile(r"(?<![\w-])password(_pbkdf2)?[ \t]")
_OPEN = "--unrestricted"
_ROUNDS = 10_000  # as grub-mkpasswd-pbkdf2, which GRUB computes within a moment on any PC
_SALT_BYTES = _DIGEST_BYTES = 64


def digest_of(password: str, *, salt: bytes = b"", rounds: int = _ROUNDS) -> str:
    """What ``password_pbkdf2`` takes; FORMAT for a password that is empty or of more lines."""
    if not password or "\n" in password or "\0" in password:
        raise UsageError("A password for GRUB is one line, and not empty.")
    salt = salt or os.urandom(_SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, _DIGEST_BYTES)
    return f"grub.pbkdf2.sha512.{rounds}.{salt.hex().upper()}.{key.hex().upper()}"


def with_lock(menu: Menu, user: str, digest: str = "") -> Changed:
    """Every entry starts; only ``user``, with the password of this digest, edits or has a console.

    Without a digest nobody does. FORMAT for a user who is no plain word.
    """
    if not NAME.fullmatch(user):
        raise UsageError(f"{user!r} cannot be the name of a user of GRUB.")
    lines = [f'set superusers="{user}"', "export superusers"]
    if digest:
        lines.append(f"password_pbkdf2 {user} {digest}")
    begin = Cut(0, 0, "".join(f"{line}\n" for line in lines))
    opened = [
        Cut(
            one.brace, one.brace, f"{_OPEN} " if menu.text[one.brace - 1] in " \t" else f" {_OPEN} "
        )
        for one in menu.all_entries
        if _OPEN not in one.options
    ]
    summary = f"only {user} edits entries" if digest else "nobody edits entries"
    return Changed(applied(menu.text, [begin, *_locks(menu), *opened]), (), summary)


def without_lock(menu: Menu) -> Changed:
    """Whoever stands before the PC may edit entries again."""
    return Changed(applied(menu.text, _locks(menu)), (), "everybody may edit entries")


def holds_password(text: str) -> bool:
    """Whether somebody who reads it can try passwords; of what is no menu, only the word counts."""
    return "grub.pbkdf2." in text or bool(_PASSWORD.search(text))


def is_locked(menu: Menu) -> bool:
    """Whether the menu names somebody who alone may edit it."""
    return bool(menu.settings("superusers"))


def _locks(menu: Menu) -> list[Cut]:
    """Without users and passwords; where one stood among others, a command stays in its place."""
    cuts = []
    for command in menu.commands:
        words = [word.value for word in command.words[:2]]
        exported = words == ["export", "superusers"]
        if command.name in _LOCKS or exported or command.sets("superusers") is not None:
            start, end = command.words[0].start, command.words[-1].end
            line = menu.text.rfind("\n", 0, start) + 1
            after = menu.text.find("\n", end) + 1 or len(menu.text)
            alone = menu.text[line:start].strip() == menu.text[end:after].strip() == ""
            cuts.append(Cut(line, after, "") if alone else Cut(start, end, "true"))
    return cuts
