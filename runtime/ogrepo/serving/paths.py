# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request's path to a file that may be shown, or to nothing.

Never shown: ``private/``, names that begin with a dot, and whatever lies outside the folder,
whichever way a link leads there, but for the very file that was adopted under that name. A refused
path looks exactly like one that is not there.
"""

from __future__ import annotations

import stat
from pathlib import Path

from oglib.errors import NotFoundError
from ogrepo.library.adopted import leads_to_adopted
from ogrepo.library.folder import Folder
from ogrepo.library.store import IMAGE
from ogrepo.shortage import says_absent

_HIDDEN = "private"


def _may_show(parts: tuple[str, ...]) -> bool:
    return not (parts and parts[0] == _HIDDEN) and not any(part.startswith(".") for part in parts)


def _absent() -> NotFoundError:
    return NotFoundError("There is no such file here.", hint="Look at / for what there is.")


def resolve(folder: Folder, asked: str) -> tuple[Path, bool]:
    """The regular file or folder for the decoded path ``asked``, and whether it is a folder.

    Raises ``NotFoundError`` for anything else.
    """
    parts = tuple(asked.removesuffix("/").split("/")) if asked else ()
    odd = "" in parts or any(ord(char) < 32 or char in "\\\x7f" for char in asked)
    if odd or not _may_show(parts):
        raise _absent()
    try:
        path = folder.root.joinpath(*parts).resolve(strict=True)
        mode = path.stat().st_mode
        if _is_adopted(folder, parts, path) and stat.S_ISREG(mode):
            return path, False
        inside = path.relative_to(folder.root).parts
    except OSError as error:
        if not says_absent(error):
            raise
        raise _absent() from None
    except (RuntimeError, ValueError):  # links in a circle; outside of the folder; a null byte
        raise _absent() from None
    if not _may_show(inside) or not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise _absent()
    return path, stat.S_ISDIR(mode)


def _is_adopted(folder: Folder, parts: tuple[str, ...], path: Path) -> bool:
    """Whether these parts are an image's, which is served from where it lies: from ``path``."""
    if parts[:1] != ("images",) or not parts[-1].endswith(IMAGE):
        return False
    if path.is_relative_to(folder.root):
        return False
    name = "/".join(parts[1:]).removesuffix(IMAGE)
    return leads_to_adopted(folder, name, path)


def entries(folder: Folder, path: Path) -> list[tuple[str, bool]]:
    """What of a folder may be shown: names, and whether each is a folder itself."""
    shown = []
    for name in sorted(child.name for child in path.iterdir()):
        try:
            asked = "/".join((*path.relative_to(folder.root).parts, name))
            shown.append((name, resolve(folder, asked)[1]))
        except (NotFoundError, PermissionError):
            continue
    return shown
