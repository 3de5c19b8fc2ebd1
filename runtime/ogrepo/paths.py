# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request's path to a file that may be shown, or to nothing.

Never shown: ``private/``, names that begin with a dot, and whatever lies outside the folder,
whichever way a link leads there. A refused path looks exactly like one that is not there.
"""

from __future__ import annotations

from pathlib import Path

from oglib.errors import NotFoundError
from ogrepo.folder import Folder

_HIDDEN = "private"


def _may_show(parts: tuple[str, ...]) -> bool:
    return not (parts and parts[0] == _HIDDEN) and not any(part.startswith(".") for part in parts)


def _absent() -> NotFoundError:
    return NotFoundError("There is no such file here.", hint="Look at / for what there is.")


def resolve(folder: Folder, asked: str) -> tuple[Path, bool]:
    """The regular file or folder for the decoded path ``asked``, and whether it is a folder.

    Raises ``NotFoundError`` for anything else.
    """
    parts = tuple(part for part in asked.split("/") if part)
    if not _may_show(parts) or any(ord(char) < 32 or char in "\\\x7f" for char in asked):
        raise _absent()
    try:
        path = folder.root.joinpath(*parts).resolve(strict=True)
        inside = path.relative_to(folder.root).parts
        is_folder = path.is_dir()
        shown = _may_show(inside) and (is_folder or path.is_file())
    except (OSError, RuntimeError, ValueError):
        raise _absent() from None
    if not shown:
        raise _absent()
    return path, is_folder


def entries(folder: Folder, path: Path) -> list[tuple[str, bool]]:
    """What of a folder may be shown: names, and whether each is a folder itself."""
    shown = []
    for name in sorted(child.name for child in path.iterdir()):
        try:
            asked = "/".join((*path.relative_to(folder.root).parts, name))
            shown.append((name, resolve(folder, asked)[1]))
        except NotFoundError:
            continue
    return shown
