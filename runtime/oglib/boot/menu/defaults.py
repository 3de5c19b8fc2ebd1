# SPDX-License-Identifier: GPL-3.0-or-later
"""``/etc/default/grub`` and ``/etc/grub.d``: what makes the system's next update-grub say the same.

Pure. Both are shell, run by the system itself: only plain words are written into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from oglib.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z0-9._+:,/>@ -]*")
LOCK_PATH = "etc/grub.d/01_oglive_lock"
LOCK_MODE = 0o700  # the digest of the password is nobody's to read


def with_variables(text: str, variables: Iterable[tuple[str, str]]) -> str:
    """The text with these variables; each where it was set last, else at the end."""
    lines = text.split("\n")
    for name, value in variables:
        if not _PLAIN.fullmatch(value):
            raise UsageError(f"{name} cannot be {value!r}: it is not a plain word.")
        said = f'{name}="{value}"'
        places = [at for at, line in enumerate(lines) if line.lstrip().startswith(f"{name}=")]
        if places:
            lines[places[-1]] = said
        else:
            lines = [*(lines if lines[-1] else lines[:-1]), said, ""]
    return "\n".join(lines)


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
