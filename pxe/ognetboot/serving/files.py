# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file a path of the HTTP server means: what was rendered, and ogLive's artefacts beside it.

Nothing else of that folder is served, no name that begins with a dot, and no link that leads out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_OGLIVE = re.compile(r"oglive(-[a-z0-9]+)?")
_LONGEST = 512
_TYPES = {
    ".efi": "application/efi",
    ".ipxe": "text/plain",
    ".cfg": "text/plain",
    ".png": "image/png",
    ".json": "application/json",
}


@dataclass(frozen=True, slots=True)
class Tree:
    """`out` is `/netboot/`; the folders of ogLive lie beside it."""

    out: Path

    def find(self, path: str) -> Path | None:
        """The file that the decoded path of a URL means; None: there is no such file."""
        if len(path) > _LONGEST or not path.isprintable() or "\\" in path:
            return None
        # GRUB and shim ask for `//grubx64.efi`.
        parts = [part for part in path.split("/") if part]
        if not parts or any(part.startswith(".") for part in parts):
            return None
        top, *rest = parts
        if top == "netboot":
            root = self.out
        elif _OGLIVE.fullmatch(top):
            root = self.out.parent / top
        else:
            return None
        try:
            place = root.joinpath(*rest).resolve(strict=True)
            if not place.is_file() or not self._is_ours(place):
                return None
        except (OSError, RuntimeError):
            return None
        return place

    def _is_ours(self, place: Path) -> bool:
        """A link may lead from the rendered tree to ogLive's folders, and from there on to where
        an administrator keeps a version; into the home of somebody it may not by our hand."""
        above = self.out.parent.resolve()
        if place.is_relative_to(self.out.resolve()):
            return True
        if not place.is_relative_to(above):
            return False
        return bool(_OGLIVE.fullmatch(place.relative_to(above).parts[0]))


def type_of(path: Path) -> str:
    """What the header says of a file: firmware looks at it."""
    return _TYPES.get(path.suffix.lower(), "application/octet-stream")
