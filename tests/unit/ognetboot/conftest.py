# SPDX-License-Identifier: GPL-3.0-or-later
"""The published example and what it leaves out, each as its rendered tree."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from ognetboot.inventory.reading import load
from ognetboot.texts.render import render

HERE = Path(__file__).parent
INVENTORIES = {
    "classroom": HERE.parents[2] / "pxe" / "examples" / "classroom.toml",
    "bench": HERE / "data" / "bench.toml",
    "shim": HERE / "data" / "shim.toml",
}


@pytest.fixture(params=INVENTORIES)
def name(request: pytest.FixtureRequest) -> str:
    """Name of an inventory, and of its golden folder."""
    return str(request.param)


@pytest.fixture
def tree(name: str) -> dict[PurePosixPath, str]:
    """What is rendered from it."""
    inventory = load(INVENTORIES[name], allow_test=name == "bench")
    return render(inventory, PurePosixPath("/srv/oglive/netboot"))
