# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in a folder, images of a few bytes, and a power cut at any chosen step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from oglib.cache import folder
from oglib.cache.store import Fill, Store

NAMES = ("", ".json", ".frames", ".full.sum")


def content(name: str, version: int) -> dict[str, bytes]:
    """The files of one version of an image; every version has the same sizes."""
    leaf = name.rpartition("/")[2]
    image = f"image {name} version {version:04d}\n".encode() * 100
    md5 = hashlib.md5(image, usedforsecurity=False).hexdigest()
    return {
        f"{leaf}.img": image,
        f"{leaf}.img.json": f'{{"version": {version:04d}}}\n'.encode(),
        f"{leaf}.img.frames": f"frames {version:04d}\n".encode(),
        f"{leaf}.img.full.sum": f"{md5}\n".encode(),
    }


def fill(name: str, version: int) -> Fill:
    def write(where: Path) -> None:
        for file, data in content(name, version).items():
            (where / file).write_bytes(data)

    return write


def held(store: Store) -> dict[str, dict[str, bytes]]:
    """What every entry holds, by its files' names: the judge that knows no record."""
    return {
        entry.name: {
            path.name: path.read_bytes()
            for path in entry.path.parent.iterdir()
            if path.name.startswith(entry.path.name)
        }
        for entry in store.entries()
    }


class PowerCut(BaseException):
    """Nothing runs after it."""


class Fuse:
    """Lets so many steps of the store happen; from then on none, as after a power cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.steps = 0
        self._patch = monkeypatch

    def arm(self, steps: int) -> None:
        self.left = steps
        self.steps = 0
        for name in ("move", "sync", "sync_tree", "delete", "write_whole"):
            self._patch.setattr(folder, name, self._burning(getattr(folder, name)))

    def _burning(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            if self.steps >= self.left:
                raise PowerCut
            self.steps += 1
            return real(*args)

        return call

    def disarm(self) -> None:
        self._patch.undo()
