# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image comes to a PC: by way of its cache or straight, and what is told meanwhile."""

from __future__ import annotations

from harness import restored
from harness.captured import Captured
from harness.disks import Disk
from harness.inventory import BENCH, BIOS_PC
from harness.machine import Machine
from harness.room import Room
from harness.steps import step

from oglib.errors import OgErr

_DISK_MIB = 5120
_SERIAL = "METHOD01"


def test_the_cache_is_filled_at_night_and_restored_in_the_morning(
    room: Room, debian_bios: Captured
) -> None:
    name = debian_bios.name
    disk = room.empty_disk(_SERIAL, size_mib=_DISK_MIB)
    pc = _partitioned(room, disk, "bios-cached")
    with step("at night the image comes into the cache, and nothing else happens"):
        assert _necessary(pc, name) == 0
        brought = pc.succeed(
            f"og cache update {name} --json", seconds=pc.timeouts.long_command
        ).json()
        assert brought["changed"] is True
        assert _necessary(pc, name) == 1
        pc.succeed(f"updateCache REPO /{name}.img UNICAST", seconds=pc.timeouts.long_command)
        pc.kill()
    fetched = len(room.server.image_reads(name))
    with room.server.off():
        pc = room.ready_pc(disk)
        with step(
            "in the morning the repository is off; it is put onto the disk, and that is told"
        ):
            said = " ".join(_deploy(pc, name, "unicast-cache", "lab-07").split())
            assert "its server does not answer" in said
            assert "What the cache has of the image is restored" in said
            pc.kill()
    assert len(room.server.image_reads(name)) == fetched
    _boots(room, disk, debian_bios, "lab-07")


def test_a_full_cache_is_told_and_passed_by(room: Room, debian_bios: Captured) -> None:
    name = debian_bios.name
    disk = room.empty_disk(_SERIAL, size_mib=_DISK_MIB)
    pc = _partitioned(room, disk, "bios-cached-small")
    with step("without another way it is refused with the number of a cache that is too small"):
        refused = pc.fail(f"og deploy {name} 1 1 --method unicast-cache --no-fallback --yes --json")
        assert refused.status == OgErr.CACHESIZE
        assert "does not fit into the cache" in str(refused.error()["message"])
    with step("with one it comes straight, and says so"):
        said = _deploy(pc, name, "unicast-cache", "lab-08")
        assert "UNICAST-CACHE: the image does not fit into the cache." in said
        assert "UNICAST-DIRECT: the image is restored as it comes" in said
        pc.kill()
    _boots(room, disk, debian_bios, "lab-08")


def test_opengnsys_scripts_without_a_cache(room: Room, debian_bios: Captured) -> None:
    name = debian_bios.name
    disk = room.empty_disk(_SERIAL, size_mib=_DISK_MIB)
    pc = _partitioned(room, disk, "bios")
    with step("there is no cache to update, by its number"):
        assert pc.fail(f"updateCache REPO /{name}.img UNICAST").status == OgErr.NOTCACHE
    with step("deployImage through the cache tells it, restores straight and fits the system"):
        said = pc.succeed(
            f"deployImage REPO {name} 1 1 UNICAST-CACHE", seconds=pc.timeouts.long_command
        ).output
        assert "[" in said
        pc.kill()
    _boots(room, disk, debian_bios, BENCH.name)


def _partitioned(room: Room, disk: Disk, layout: str) -> Machine:
    pc = room.ready_pc(disk)
    with step(f"a PC with the partitions of {layout}"):
        pc.succeed(f"og disk apply {disk.serial} {layout} --yes")
        pc.succeed(f"og fs format {disk.serial} 2 swap --yes")
        if "cached" in layout:
            pc.succeed("og cache format --yes")
    return pc


def _necessary(pc: Machine, name: str) -> int:
    """0: the cache needs an update; 1: it has this very image."""
    return pc.execute(f"ogUpdateCacheIsNecesary REPO /{name}.img FULL").status


def _deploy(pc: Machine, name: str, method: str, hostname: str) -> str:
    return pc.succeed(
        f"og deploy {name} 1 1 --method {method} --hostname {hostname} --yes",
        seconds=pc.timeouts.long_command,
    ).output


def _boots(room: Room, disk: Disk, image: Captured, hostname: str) -> None:
    with step("the disk starts, and is what was deployed"):
        other = room.pc(BIOS_PC, disk)
        other.boot_from_disk()
        restored.check(
            other.wait_for_report(), disk, image, hostname or image.golden.report.hostname
        )
