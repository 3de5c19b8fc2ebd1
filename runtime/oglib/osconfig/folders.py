# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders made in a mounted system, of which no link leads out."""

from __future__ import annotations

from pathlib import PurePosixPath

from oglib import durable
from oglib.errors import WriteError
from oglib.osconfig.root import TargetRoot


def make_folder(root: TargetRoot, name: str) -> None:
    """Make it and those above it that are missing; WriteError where one of them is a link."""
    parts = PurePosixPath(name).parts
    for number, last in enumerate(parts):
        inner = "/".join(parts[: number + 1])
        if root.is_directory(inner):
            continue
        above = root.folder_path("/".join(parts[:number]) or ".")
        try:
            if above is None:
                raise FileNotFoundError(2, "its folder is not there", inner)
            (above / last).mkdir(mode=0o755)
            durable.sync(above)
        except OSError as error:
            raise WriteError(
                f"{inner} in {root.called} cannot be made: {error.strerror}."
            ) from error
