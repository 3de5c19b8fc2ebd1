# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout that a person means: a file, an old list, Configurar's string, a repository's name."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from oglib.disk.model import Disk
from oglib.disk.planning.layout import Layout, load_layout, parse_layout
from oglib.disk.planning.old_layouts import (
    is_configurar,
    is_old_list,
    layout_from_old,
    parse_configurar,
)
from oglib.errors import NotFoundError, UsageError
from oglib.settings import NAME_PART, Settings
from oglib.transfer.answers import StatusError
from oglib.transfer.repository import RepositoryClient
from oglib.wording.nearest import meant

_USUAL_LAYOUTS = ("uefi", "bios")  # which every repository is made with


def read_layout(text: str, settings: Settings, disk: Disk) -> Layout:
    """The layout that ``text`` is or names, for ``disk``.

    A layout file, OpenGnsys' list ``TYPE:KB …``, Configurar's string, or the name of one in the
    repository.
    """
    if is_configurar(text):
        return parse_configurar(text).layout(disk)
    if is_old_list(text):
        return layout_from_old(text.split(), disk)
    path = Path(text)
    if "/" in text or path.suffix in (".json", ".toml"):
        return load_layout(path)
    if not NAME_PART.fullmatch(text):
        raise UsageError(
            f"{text!r} is neither a layout file nor the name of a layout.",
            hint="A list is written as in 'NTFS:30000000 LINUX:20000000', in KB.",
        )
    return parse_layout(_fetched(text, settings).decode(errors="replace"), name=text)


def _fetched(name: str, settings: Settings) -> bytes:
    with RepositoryClient(settings.repository_url(), connection=settings.connection) as repository:
        try:
            return repository.fetch_layout(name)
        except StatusError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise NotFoundError(
                f"The repository at {settings.repository_url()} has no layout {name}.",
                hint=f"{meant(name, _USUAL_LAYOUTS)}Layouts are in its layouts/; a file is named "
                "by its path, as in ./NAME.json.",
            ) from error
