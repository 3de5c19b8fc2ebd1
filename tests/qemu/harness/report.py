# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installed golden Debian says about itself on the serial line, as values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from harness.clock import Deadline
from harness.console import Console, without_kernel_messages
from harness.errors import ProductFailure


@dataclass(frozen=True, slots=True)
class BootReport:
    """One report of oglive-report.service."""

    hostname: str
    machine_id: str
    firmware: str
    running: str
    failed: tuple[str, ...]
    fstab: str
    mounts: dict[str, dict[str, str]]
    grub_device: str
    grub_uuid: str
    command_line: str
    pretty_name: str
    swaps: tuple[str, ...]
    raw: dict[str, object]

    @classmethod
    def wait(cls, console: Console, deadline: Deadline) -> BootReport:
        match = console.wait_for(r"OGREPORT-BEGIN(.*?)OGREPORT-END", deadline)
        return cls.parse(match[1].decode("utf-8", "replace"))

    @classmethod
    def parse(cls, text: str) -> BootReport:
        """From what stands between the markers."""
        for line in without_kernel_messages(text).splitlines():
            if line.startswith("{"):
                return cls._from_object(json.loads(line))
        raise ProductFailure(f"no report between the markers: {text!r}")

    @classmethod
    def _from_object(cls, raw: dict[str, object]) -> BootReport:
        def text(key: str) -> str:
            value = raw.get(key)
            if not isinstance(value, str):
                raise ProductFailure(f"the report has no text {key!r}: {raw}")
            return value.strip()

        failed, swaps = raw.get("failed"), raw.get("swaps")
        if isinstance(failed, str):
            failed = failed.split()
        return cls(
            hostname=text("hostname"),
            machine_id=text("machine_id"),
            firmware=text("firmware"),
            running=text("running"),
            failed=tuple(str(unit) for unit in failed) if isinstance(failed, list) else (),
            fstab=text("fstab"),
            mounts={mount["target"]: mount for mount in _mounts(raw.get("findmnt"))},
            grub_device=text("grub_device"),
            grub_uuid=text("grub_uuid"),
            command_line=text("cmdline"),
            pretty_name=text("pretty_name"),
            swaps=tuple(str(row).split()[0] for row in swaps) if isinstance(swaps, list) else (),
            raw=raw,
        )

    @property
    def root_uuid(self) -> str:
        """UUID of the mounted root."""
        return self.mounts["/"].get("uuid", "")

    def fstab_uuids(self) -> dict[str, str]:
        """Mount point (or ``swap``) to UUID; an entry by anything else is a failure."""
        found = {}
        for line in self.fstab.splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            what, where, kind = line.split()[:3]
            match = re.fullmatch(r"UUID=(\S+)", what)
            if match is None:
                raise ProductFailure(f"fstab names {where} not by UUID: {line}")
            found["swap" if kind == "swap" else where] = match[1]
        return found


def _mounts(findmnt: object) -> list[dict[str, str]]:
    """findmnt's JSON (object or text), its tree flattened."""
    if isinstance(findmnt, str):
        findmnt = json.loads(findmnt)
    rows = findmnt.get("filesystems", []) if isinstance(findmnt, dict) else findmnt
    flat: list[dict[str, str]] = []
    for row in rows if isinstance(rows, list) else []:
        children = row.pop("children", [])
        flat.append({key: str(value) for key, value in row.items() if value is not None})
        flat.extend(_mounts(children))
    return flat
