# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume groups and their volumes as ``vgs`` and ``lvs`` tell them; never changes one.

OpenGnsys counts a group as a disk and its volumes as partitions, in the order of ``lvs``.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oglib.run import run

_AS_JSON = ("--reportformat", "json", "--units", "b", "--nosuffix")


@dataclass(frozen=True, slots=True)
class Volume:
    """One logical volume. ``mapped_name`` is what the kernel's device mapper calls it."""

    name: str
    size_bytes: int
    uuid: str
    mapped_name: str


@dataclass(frozen=True, slots=True)
class Group:
    """One volume group; ``members`` are its physical volumes as paths."""

    name: str
    size_bytes: int
    uuid: str
    members: tuple[str, ...]
    volumes: tuple[Volume, ...]
    damage: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return Path("/dev") / self.name


def volume_groups() -> tuple[Group, ...]:
    """Every volume group of this PC, also one without volumes."""
    return parse_groups(
        _said("vgs", "vg_name,vg_uuid,vg_size,pv_name"),
        _said("lvs", "vg_uuid,vg_name,lv_name,lv_uuid,lv_size"),
    )


def parse_groups(groups: str, volumes: str) -> tuple[Group, ...]:
    """Both reports, one row per physical volume and one per logical volume."""
    by_group: dict[str, list[dict[str, str]]] = {}
    for row in _report(groups, "vg"):
        by_group.setdefault(row["vg_uuid"], []).append(row)
    logical = _report(volumes, "lv")
    names = Counter(rows[0]["vg_name"] for rows in by_group.values())
    return tuple(
        _group(
            rows,
            [row for row in logical if row["vg_uuid"] == uuid],
            alone=names[rows[0]["vg_name"]] == 1,
        )
        for uuid, rows in by_group.items()
    )


def _said(program: str, columns: str) -> str:
    # 5: one of the groups cannot be read; the others are told all the same
    return run(program, *_AS_JSON, "--options", columns, accept=(0, 5)).stdout


def _group(rows: list[dict[str, str]], volumes: list[dict[str, str]], *, alone: bool) -> Group:
    first = rows[0]
    # lvm writes [unknown] for a physical volume that it misses
    missing = sum(row["pv_name"].startswith("[") for row in rows)
    damage = [f"{missing} of its {len(rows)} physical volumes are missing."] if missing else []
    if not alone:
        # both have the same paths: whose volumes they lead to cannot be told
        damage.append("Another volume group has the same name, so its volumes are not shown.")
    return Group(
        name=first["vg_name"],
        size_bytes=int(first["vg_size"]),
        uuid=first["vg_uuid"],
        members=tuple(row["pv_name"] for row in rows if row["pv_name"].startswith("/")),
        volumes=tuple(_volume(row) for row in volumes) if alone else (),
        damage=tuple(damage),
    )


def _volume(row: dict[str, str]) -> Volume:
    escaped = "-".join(row[part].replace("-", "--") for part in ("vg_name", "lv_name"))
    return Volume(row["lv_name"], int(row["lv_size"]), row["lv_uuid"], escaped)


def _report(text: str, kind: str) -> list[dict[str, str]]:
    said: dict[str, Any] = json.loads(text)
    return [row for report in said["report"] for row in report.get(kind, ())]
