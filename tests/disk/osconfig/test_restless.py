# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside a renaming and mounting process nothing is wrong: not once in 200 times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from disk.deploy.room import MIB, captured, disk_file, og
from disk.inventory.room import tool
from disk.osconfig.restless import restless
from disk.osconfig.systems import NAME, ROOT_UUID, device_of, make_debian, make_disk, seen_at
from oglib.deploy.partition.subject import CaptureSource, source_facts
from oglib.deploy.system.configure import apply_configuration, plan_configuration
from oglib.disk.find import find_disk
from oglib.disk.firmware import Firmware
from oglib.disk.loop import attached
from oglib.disk.model import Disk, Partition
from oglib.errors import OgError
from oglib.filesystem.mount import mounted
from oglib.fitting.steps import Outcome
from oglib.image.format.manifest import Manifest
from oglib.inventory.installed import system_of

SIZES_MIB = (48,)
# Detections where it is mounted already and by an own mount, facts for a manifest, captures,
# configurations, deploys.
TIMES = (150, 22, 18, 4, 3, 3)
FACTS = (NAME, ("bash 5.2.37-2", "zlib1g 1:1.3.1-1"))
# Debian's link with more of what the kernel looks at again: in the root, .. of the top is the top.
LINK = "../" * 50 + "usr/lib/os-release"


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    path = make_disk(tmp_path / "disk.img", SIZES_MIB)
    tree = make_debian(tmp_path / "tree")
    (tree / "etc/os-release").symlink_to(LINK)
    with device_of(path, SIZES_MIB, 1) as device:
        tool("mkfs.ext4", "-q", "-U", ROOT_UUID, "-d", tree, device)
    monkeypatch.setenv("OG_DISKS", str(path))
    with restless(tmp_path):
        yield find_disk("1")


def test_detection_capture_configuration_and_deploy_200_times(
    disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where an answer that the kernel asks to try again is believed, this fails."""
    detections, openings, asked, captures, configurations, deploys = TIMES
    part = disk.partitions[0]
    wrong: list[object] = []
    with device_of(disk.path, SIZES_MIB, 1) as device, seen_at(device, tmp_path / "at") as at:
        there = replace(part, mountpoints=(str(at),))
        wrong += other_than(NAME, lambda: described(disk, there), detections)
    wrong += other_than(NAME, lambda: described(disk, part), openings)
    with device_of(disk.path, SIZES_MIB, 1) as device:
        source = CaptureSource(device, disk, part)
        wrong += other_than(FACTS, lambda: facts(source), asked)
        for number in range(captures):
            wrong += other_than(FACTS, partial(told_by, device, f"image-{number}", tmp_path), 1)
    for number in range(configurations):
        name = f"lab-{number:02}"
        wrong += other_than(name, partial(configured, disk, name, tmp_path / "at"), 1)
    other = disk_file(tmp_path / "other.img", size_mib=96)
    image = tmp_path / "images/image-0.img"
    for number in range(deploys):
        name = f"room-{number:02}"
        wrong += other_than(name, partial(deployed, image, other, name), 1)
    with capsys.disabled():
        print(
            f"\n{detections + openings} detections, {asked} facts, {captures} captures,"
            f" {configurations} configurations, {deploys} deploys:"
            f" {len(wrong)} of {sum(TIMES)} wrong"
        )
    assert sum(TIMES) == 200
    assert wrong == []


def other_than(right: object, question: Callable[[], object], times: int) -> list[object]:
    """The answers that are not ``right``; an error is none."""
    found: list[object] = []
    for _ in range(times):
        try:
            found.append(question())
        except OgError as error:
            found.append(error)
    return [one for one in found if one != right]


def described(disk: Disk, part: Partition) -> str:
    found = system_of(disk, part)
    return found.description if found else ""


def facts(source: CaptureSource) -> tuple[str, tuple[str, ...]]:
    found = source_facts(source)
    return found.info.os, found.software


def configured(disk: Disk, name: str, point: Path) -> str:
    """The name that the system has when it was configured; what failed where something did."""
    plan = plan_configuration(disk, disk.partitions[0], hostname=name, firmware=Firmware.BIOS)
    steps = apply_configuration(plan)
    failed = [str(step) for step in steps if step.outcome is Outcome.FAILED]
    with device_of(disk.path, SIZES_MIB, 1) as device, seen_at(device, point) as at:
        return " ".join([(at / "etc/hostname").read_text().strip(), *failed])


def told_by(device: Path, name: str, folder: Path) -> tuple[str, tuple[str, ...]]:
    """The facts in the manifest of an image that is made."""
    image = captured(device, name, folder / "images")
    manifest = Manifest.from_bytes(image.with_name(f"{image.name}.json").read_bytes())
    return manifest.source.os, manifest.software


def deployed(image: Path, disk: Path, name: str) -> str:
    said = og("deploy", image, disk, "1", "--yes", "--hostname", name)
    if said.status:
        return said.out + said.err
    with attached(disk, offset_bytes=MIB) as device, mounted(device) as at:
        return (at / "etc/hostname").read_text().strip()
