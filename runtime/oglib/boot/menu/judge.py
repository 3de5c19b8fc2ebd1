# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of whoever reads a text, GRUB or a shell, asked before any is written."""

from __future__ import annotations

from tempfile import NamedTemporaryFile

from oglib.errors import OgErr, OgError, ProcessError
from oglib.fitting.edits import bytes_of
from oglib.run import run

_CHECK = "grub-script-check"
_LIMIT_S = 60.0
_EMPTY = "contains no commands"


def check_script(text: str, called: str) -> None:
    """Raise NOTWRITE where GRUB would not understand ``text``; NOTEXEC without its program.

    It parses, and runs nothing of it. ``called``: whose text it is, for the error.
    """
    _judged((_CHECK,), "GRUB", text, called)


def check_shell(text: str, called: str) -> None:
    """As ``check_script``, of what a shell reads."""
    _judged(("sh", "-n"), "a shell", text, called)


def _judged(argv: tuple[str, ...], judge: str, text: str, called: str) -> None:
    with NamedTemporaryFile(prefix="og-grub-") as file:
        file.write(bytes_of(text))
        file.flush()
        try:
            run(*argv, file.name, timeout_s=_LIMIT_S)
        except ProcessError as error:
            if _EMPTY in error.stderr:
                return
            why = " ".join(error.stderr.replace(file.name, called).split())[:300]
            raise OgError(
                f"{called} is not written: {judge} would not understand it ({why}).",
                hint="It is as it was.",
                code=OgErr.NOTWRITE,
            ) from error
