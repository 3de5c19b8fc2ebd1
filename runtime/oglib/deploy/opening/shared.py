# SPDX-License-Identifier: GPL-3.0-or-later
"""Images by name on the repository's share, where the boot entry says that they come by it.

``ogprotocol=smb`` or ``nfs``: the share is mounted when ogLive starts; where that failed, it is
mounted here, to be read. What is not on it, and all of them where it cannot be had, is asked of the
repository by HTTP, and told.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oglib.deploy.opening.policy import repository_folder
from oglib.deploy.opening.reference import SUFFIX, Reference
from oglib.errors import OgError
from oglib.filesystem.share import change_share, mount_on, mounted_share, usual_share
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.kernel.far import within
from oglib.partfile import is_there
from oglib.settings import NAME_PART, SHARES, Settings, host_of

# An old server wakes its disks; a dead one never answers.
LOOK_S = 10.0
OPENING_S = 60.0
_FIRST_VOLUMES = ("aa", "aaa", "000", "00")


def on_share(reference: Reference, settings: Settings) -> Reference:
    """The same, leading to the file on the share where there is one; ``said`` where there is none.

    What is no name in the repository stays as it is.
    """
    if not reference.repository or settings.protocol not in SHARES:
        return reference
    try:
        path = share_folder(settings) / f"{reference.name}{SUFFIX}"
        found = within(str(path), LOOK_S, lambda: _is_image(path))
    except OgError as error:
        said = f"The image {reference.name} is asked for by HTTP. {error.message}"
        return replace(reference, said=(*reference.said, said))
    return replace(reference, url="", path=path) if found else reference


def found_on_share(name: str, settings: Settings) -> Path | None:
    """What is on the share under this name: the folder of a disk's image, or an image's file."""
    if settings.protocol not in SHARES:
        return None

    def found(folder: Path) -> Path | None:
        file = folder / f"{name}{SUFFIX}"
        return folder / name if _is_disk(folder / name) else file if _is_image(file) else None

    try:
        folder = share_folder(settings)
        return within(str(folder), LOOK_S, lambda: found(folder))
    except OgError:
        return None  # whoever asks for the image itself will say why


def share_folder(settings: Settings) -> Path:
    """Where the repository's share is mounted; it is mounted where it is not. ``OgError``: why not.

    One of another server than the PC was told of, which somebody mounted, is not it.
    """
    folder = within("The images' share", LOOK_S, lambda: repository_folder().resolve())
    host = host_of(settings.repository)
    if mount_on(folder) is None:
        if settings.unit and not NAME_PART.fullmatch(settings.unit):
            raise OgError(f"ogunit={settings.unit} is not the name of a unit.")
        folder.mkdir(parents=True, exist_ok=True)
        change_share(usual_share(settings.protocol, host, settings.unit), folder, write=False)
    mounted = mounted_share(folder)
    if mounted is not None and host and mounted.host != host:
        raise OgError(f"What is mounted at {folder} is {mounted.source}, and not of {host}.")
    return folder


def _is_disk(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    from oglib.image.reading.formats.folders.folder import is_folder_image  # noqa: PLC0415

    return is_there(folder / DISK_FILE) or bool(is_folder_image(folder))


def _is_image(path: Path) -> bool:
    volumes = (path.with_name(f"{path.name}.{suffix}") for suffix in _FIRST_VOLUMES)
    return is_there(path) or any(is_there(one) for one in volumes)
