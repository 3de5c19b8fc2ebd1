# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports go one way (design, Rooms): a breach here is a wall broken between two rooms."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"oglib": "runtime", "ogrepo": "runtime", "ognetboot": "pxe", "ogunits": "runtime"}
# Knows nobody, and whoever writes units knows it.
FOR_ALL = "ogunits"

# A higher number may import a lower one; rooms on one level are siblings and may not.
LEVELS = {
    "__main__": 5,
    **dict.fromkeys(("cli", "shim", "agent", "console"), 4),
    **dict.fromkeys(("deploy", "views"), 3),
    **dict.fromkeys(("image", "cache", "transfer", "osconfig", "boot", "inventory"), 2),
    **dict.fromkeys(("disk", "filesystem"), 1),
    **dict.fromkeys(
        (
            "cancel",
            "connection",
            "fitting",
            "run",
            "sandbox",
            "streams",
            "reporters",
            "settings",
            "progress",
            "texts",
            "rights",
            "version",
            "wording",
            "errors",
            "ending",
            "engine_cfg",
            "kernel",
            "limits",
            "partfile",
            "durable",
            "spared",
            "__init__",
        ),
        0,
    ),
}
# The one file that owns each untyped or heavy library.
OWNERS = {
    "sh": "oglib/streams.py",
    "parted": "oglib/disk/writing/msdos.py",
    "blkinfo": "oglib/disk/probe.py",
    "hivex": "oglib/osconfig/registry.py",
    "libtorrent": "oglib/transfer/torrent.py",
}
PROCESS_MODULES = {"subprocess", "pty", "popen2"}


@cache
def sources() -> dict[str, ast.Module]:
    """Every file of the packages, by its name below their root, parsed once for all tests here."""
    return {
        str(path.relative_to(ROOT / base)): ast.parse(path.read_text())
        for package, base in PACKAGES.items()
        for path in sorted((ROOT / base / package).rglob("*.py"))
    }


def imported(path: str, tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def breaches(name: str, names: set[str]) -> list[str]:
    module = name.removesuffix(".py").replace("/", ".")
    package, own = module.split(".")[0], room(module)
    found = []
    for other in sorted(names):
        top = other.split(".")[0]
        if OWNERS.get(top, name) != name:
            found.append(f"{name} imports {other}, which {OWNERS[top]} owns")
        if top in PROCESS_MODULES:
            found.append(f"{name} imports {other}: run.py and streams.py alone start processes")
        if top not in PACKAGES or (top == FOR_ALL and package != "oglib"):
            continue
        if package == "oglib" and top == "oglib":
            target = room(other)
            if target == own or target not in LEVELS:
                continue
            if own == "inventory" and target in ("boot", "osconfig"):
                continue
            if own == "disk" and other.startswith("oglib.filesystem.kinds"):
                continue  # a table alone: a boot sector is told from a partition table by its mark
            if (LEVELS[own], own) != (0, own) and LEVELS[target] >= LEVELS[own]:
                found.append(f"{name} imports {other}: {own} may not know {target}")
        elif package == "ogrepo" and top == "oglib":
            if LEVELS.get(room(other), 0) > 0 and room(other) not in ("image", "transfer"):
                found.append(f"{name} imports {other}: ogrepo knows image and transfer only")
        elif top != package:
            found.append(f"{name} imports {other}: {package} stands alone")
    return found


def test_imports_go_one_way() -> None:
    found = sources()
    assert len(found) > 400, "they are no longer where they are looked for"
    assert [one for name in found for one in breaches(name, imported(name, found[name]))] == []


def imports_among(files: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Which of these modules each imports: at its top, in functions, or for types alone."""
    found: dict[str, set[str]] = {}
    for module, tree in files.items():
        names = set[str]()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= {name if name in files else node.module for name in full}
        found[module] = {name for name in names if name in files and name != module}
    return found


def circle_in(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first that is met; empty: there is none."""
    done = set[str]()

    def walk(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        for other in sorted(imports[module]):
            if circle := walk(other, [*way, module]):
                return circle
        done.add(module)
        return []

    return next(filter(None, (walk(module, []) for module in sorted(imports))), [])


def test_no_two_modules_import_each_other() -> None:
    files = {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): tree
        for name, tree in sources().items()
        if name.startswith("oglib/")
    }
    assert circle_in(imports_among(files)) == []


def test_a_circle_is_seen_wherever_it_is_closed() -> None:
    texts = {
        "a.one": "from a import two\n",
        "a.two": "def late():\n    from a.three import x\n",
        "a.three": "if TYPE_CHECKING:\n    import a.one\n",
        "a.four": "import a.one, a.two\n",
    }
    files = {name: ast.parse(text) for name, text in texts.items()}
    assert circle_in(imports_among(files)) == ["a.one", "a.two", "a.three", "a.one"]
    files["a.three"] = ast.parse("")
    assert circle_in(imports_among(files)) == []


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("oglib/image/recording/device_capture.py", {"oglib.transfer.http"}),
        ("oglib/disk/planning/plan.py", {"parted"}),
        ("oglib/disk/planning/plan.py", {"subprocess"}),
        ("oglib/filesystem/kinds.py", {"oglib.disk.model"}),
        ("oglib/disk/writing/table.py", {"oglib.filesystem.mount"}),
        ("oglib/image/writing/restore.py", {"oglib.deploy"}),
        ("ognetboot/inventory/model.py", {"oglib.errors"}),
        ("ogrepo/serving/server.py", {"oglib.disk.probe"}),
        ("ogunits/__init__.py", {"oglib.errors"}),
        ("oglib/run.py", {"ogunits"}),
    ],
)
def test_a_breach_is_seen(name: str, names: set[str]) -> None:
    assert breaches(name, names) != []
