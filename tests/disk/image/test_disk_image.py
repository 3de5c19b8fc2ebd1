# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole disks, captured and put back: real tables, filesystems and swap on sparse files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from disk.image.whole_disks import (
    DISK_BYTES,
    GPT,
    MSDOS,
    blank,
    made_disk,
    said,
    seen,
    size_of_filesystem,
)
from oglib.__main__ import main
from oglib.deploy.whole_disk import restore as whole_restore
from oglib.deploy.whole_disk.capture import CreatedDisk, create_disk
from oglib.deploy.whole_disk.image import is_whole, whole_info
from oglib.deploy.whole_disk.plan import DiskWishes
from oglib.deploy.whole_disk.receipt import DiskReceipt
from oglib.deploy.whole_disk.restore import restore_disk
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB
from oglib.disk.probe import probe_target
from oglib.errors import ImageError, NotFoundError, OgErr, OgError
from oglib.image.format.disk_manifest import DiskManifest
from oglib.settings import Settings
from quiet import QUIET
from unit.ogrepo.conftest import Repository, folder, repository

SETTINGS = Settings()
ANY = DiskWishes(other_firmware=True)
ONE_KIND = pytest.mark.parametrize("table", ["msdos"], indirect=True, scope="module")

__all__ = ["folder", "repository"]  # fixtures

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


def captured(disk: Path, folder: Path, name: str = "room/disk-a") -> CreatedDisk:
    folder.mkdir(exist_ok=True)
    return create_disk(str(disk), name, destination=str(folder), settings=SETTINGS, progress=QUIET)


def put_back(image: Path, target: Path, options: DiskWishes = ANY) -> DiskReceipt:
    return restore_disk(str(image), str(target), options, settings=SETTINGS, progress=QUIET)


@pytest.fixture(scope="module", params=["gpt", "msdos"])
def table(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def disk(table: str, gpt: Path, msdos: Path) -> Path:
    return gpt if table == "gpt" else msdos


@pytest.fixture(scope="module")
def image(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    made = captured(disk, folder)
    assert made.where == str(folder / "room/disk-a")
    return Path(made.where)


def test_a_disk_comes_back_as_it_was(image: Path, disk: Path, tmp_path: Path) -> None:
    target = blank(tmp_path / "target")
    receipt = put_back(image, target)
    assert receipt.verified == "read-back"
    assert len(receipt.parts) == 2
    assert seen(target) == seen(disk)
    assert "No errors detected" in said("sfdisk", "--verify", target)


def test_an_image_says_what_it_is(
    image: Path, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_whole(str(image), SETTINGS)
    info = whole_info(str(image), SETTINGS)
    assert (info.tool, info.required_bytes, info.damage) == ("disk", DISK_BYTES, "")
    manifest = DiskManifest.from_bytes((image / "disk.json").read_bytes())
    assert manifest.table == table
    assert manifest.firmware == ("" if table == "gpt" else "bios")
    assert main(["image", "info", str(image)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "image      room/disk-a",
        f"captured   {manifest.created} on {manifest.hostname}",
        f"starts by  {'BIOS and UEFI' if table == 'gpt' else 'BIOS'}",
    ):
        assert line in shown.splitlines()


def test_a_larger_disk_is_filled_and_what_lies_behind_moves(
    image: Path, disk: Path, tmp_path: Path, table: str
) -> None:
    """On msdos the logical partition at the end grows, on gpt the root before the swap."""
    target = blank(tmp_path / "target", DISK_BYTES + 64 * MIB)
    receipt = put_back(image, target)
    number = 3 if table == "gpt" else 6
    assert f"partition {number}: its filesystem fills it" in receipt.after
    assert size_of_filesystem(target, number) >= size_of_filesystem(disk, number) + 60 * MIB
    here, there = seen(target), seen(disk)
    assert (here.files, here.identity, here.front) == (there.files, there.identity, there.front)
    assert [one.uuid for one in here.signatures] == [one.uuid for one in there.signatures]


@ONE_KIND
def test_what_cannot_be_grown_is_said_and_the_disk_is_whole(
    image: Path, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_device: Path) -> bool:
        raise OgError("Windows has not let go of it.")

    monkeypatch.setattr(whole_restore, "grow_filesystem", refuse)
    target = blank(tmp_path / "target", DISK_BYTES + 64 * MIB)
    receipt = put_back(image, target)
    assert any("not grown: Windows has not let go" in said for said in receipt.after)
    assert seen(target).front == seen(disk).front


@ONE_KIND
def test_a_larger_disk_can_keep_the_sizes(image: Path, disk: Path, tmp_path: Path) -> None:
    target = blank(tmp_path / "target", DISK_BYTES + 64 * MIB)
    put_back(image, target, DiskWishes(other_firmware=True, grow=False))
    assert seen(target) == seen(disk)


@ONE_KIND
def test_a_smaller_disk_is_refused_before_anything_is_written(image: Path, tmp_path: Path) -> None:
    target = blank(tmp_path / "target", DISK_BYTES - 16 * MIB)
    with pytest.raises(OgError) as raised:
        put_back(image, target)
    assert raised.value.code is OgErr.IMGSIZEPARTITION
    assert target.stat().st_blocks == 0


def test_what_was_on_the_target_goes(image: Path, disk: Path, table: str, tmp_path: Path) -> None:
    other = "msdos" if table == "gpt" else "gpt"
    target = made_disk(tmp_path / "target", other, MSDOS if other == "msdos" else GPT)
    receipt = put_back(image, target)
    assert any("write a new" in change for change in receipt.changes)
    assert seen(target) == seen(disk)


def test_a_restore_that_was_cut_is_ended_by_the_next_one(
    image: Path, disk: Path, tmp_path: Path
) -> None:
    """The last image is damaged, so the run ends before what firmware starts from is whole."""
    broken = tmp_path / "broken" / image.name
    shutil.copytree(image, broken)
    last = max(broken.glob("p*.img"), key=lambda path: path.name)
    with last.open("r+b") as file:
        file.seek(last.stat().st_size // 2)
        file.write(b"\xa5" * 4096)
    target = blank(tmp_path / "target")
    with pytest.raises(OgError):
        put_back(broken, target)
    with target.open("rb") as file:
        assert file.read(440) != seen(disk).front[:440]
    starts = [part for part in probe_target(target).partitions if part.type == "EFI" or part.active]
    assert [part.filesystem for part in starts] == [""]
    put_back(image, target)
    assert seen(target) == seen(disk)


@ONE_KIND
def test_some_partitions_alone(image: Path, disk: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    shutil.copy(disk, target)
    number = 1
    with target.open("r+b") as file:
        file.seek(seen(disk).partitions[number - 1][1] + 20 * MIB)  # type: ignore[operator]
        file.write(bytes(4 * MIB))
    receipt = restore_disk(
        str(image), str(target), ANY, numbers=[number], settings=SETTINGS, progress=QUIET
    )
    assert [part.image for part in receipt.parts] == [f"room/disk-a/p{number}"]
    assert seen(target) == seen(disk)
    with pytest.raises(NotFoundError):
        restore_disk(str(image), str(target), ANY, numbers=[9], settings=SETTINGS, progress=QUIET)


@ONE_KIND
def test_a_second_capture_keeps_the_first_aside(disk: Path, tmp_path: Path) -> None:
    first = captured(disk, tmp_path / "images", "a")
    old = (Path(first.where) / "disk.json").read_bytes()
    changed = tmp_path / "changed"
    said("cp", "--sparse=always", disk, changed)
    with partition_device(probe_target(changed), probe_target(changed).partitions[0]) as device:
        said("tune2fs", "-L", "another", device)
    captured(changed, tmp_path / "images", "a")
    assert (tmp_path / "images/a.ant/disk.json").read_bytes() == old
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["a", "a.ant"]
    before, now = (tmp_path / f"images/{name}/p1.img.frames" for name in ("a.ant", "a"))
    assert now.stat().st_size > before.stat().st_size, "what changed is cut small"


@ONE_KIND
def test_partitions_of_another_capture_are_refused(image: Path, disk: Path, tmp_path: Path) -> None:
    mixed = tmp_path / image.name
    shutil.copytree(image, mixed)
    other = Path(captured(disk, tmp_path / "images").where)
    for path in other.glob("p1.img*"):
        shutil.copy(path, mixed)
    manifest = mixed / "p1.img.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"title": ""', b'"title": "x"'))
    target = blank(tmp_path / "target")
    with pytest.raises(ImageError, match="not the one that"):
        put_back(mixed, target)
    assert target.stat().st_blocks == 0


@ONE_KIND
def test_by_way_of_the_repository(disk: Path, repository: Repository, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(repository.token("room/disk-a"))
    settings = Settings(
        repository=f"127.0.0.1:{repository.port}",
        keys_dir=repository.folder.keys,
        upload_token=token,
    )
    made = create_disk(str(disk), "room/disk-a", destination="", settings=settings, progress=QUIET)
    assert (made.version, made.where) == (1, f"{repository.base}/images/room/disk-a")
    target = blank(tmp_path / "target")
    receipt = restore_disk("room/disk-a", str(target), ANY, settings=settings, progress=QUIET)
    assert receipt.signed_by
    assert receipt.warnings == ()
    assert seen(target) == seen(disk)
