# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that sender and receivers of a partition share, in a file for who asks nobody."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oglib.errors import TransferError
from oglib.texts import read_whole

CODE = Path("/run/oglive/clone.code")  # of both PCs
_CODE_BYTES = 64


def read_code(path: Path = CODE) -> str:
    """The code in a file that its owner alone may read."""
    try:
        mode = path.stat().st_mode
        text = read_whole(path, _CODE_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise TransferError(
            f"The code {path} cannot be read: {error.strerror}.",
            hint="Sender and receivers need the same code there, mode 0600; `og image send` makes "
            "and shows one.",
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise TransferError(f"{path} may be read by others.", hint=f"Run `chmod 0600 {path}`.")
    return text


def keep_code(code: str, path: Path = CODE) -> None:
    """For commands that ask nobody."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        os.fchmod(fd, 0o600)
        file.write(f"{code}\n")
