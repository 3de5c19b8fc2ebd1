# SPDX-License-Identifier: GPL-3.0-or-later
"""The job of a netboot entry, and what a deployment refuses before it writes."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import pytest

from oglib.boot.firmware import check_table
from oglib.deploy.jobs import (
    WORKS,
    Adapt,
    Boot,
    Configure,
    Create,
    Deploy,
    Inventory,
    Job,
    Partition,
    Restore,
    UpdateCache,
)
from oglib.deploy.netboot import GRAMMAR, parse_job
from oglib.deploy.opening import reference
from oglib.deploy.work import end_of_job
from oglib.disk.firmware import Firmware
from oglib.disk.model import TableKind
from oglib.errors import OgErr, OgError, ProcessError, UsageError
from oglib.settings import Settings


def test_a_boot_without_a_job_has_nothing_to_do() -> None:
    assert parse_job(Settings()) is None


@pytest.mark.parametrize(
    ("words", "job"),
    [
        ("deploy:debian:1:2", Deploy("debian", "1", "2", layout="uefi", hostname="pc7")),
        ("deploy:lab1/a@3:system:1", Deploy("lab1/a@3", "system", "1", "uefi", "pc7")),
        ("restore:lab1/debian:1@S6X:128", Restore("lab1/debian", "1@S6X", "128")),
        ("restore:lab1/pc@12:largest", Restore("lab1/pc@12", "largest")),
        ("restore:CACHE:lab1/debian@3:1:2", Restore("CACHE:lab1/debian@3", "1", "2")),
        ("restore:CACHE:pc:largest", Restore("CACHE:pc", "largest")),
        ("create:a/b/c:2:PARTUUID=11bd6b5c-01", Create("a/b/c", "2", "PARTUUID=11bd6b5c-01")),
        ("create:pc:1", Create("pc", "1")),
        ("update_cache:lab1/debian@2", UpdateCache("lab1/debian@2")),
        ("configure:1:2", Configure("1", "2", hostname="pc7")),
        ("adapt:system:2", Adapt("system", "2")),
        ("adapt:1:2:any", Adapt("1", "2", "any")),
        ("adapt:1:2:this", Adapt("1", "2", "this")),
        ("partition:1:lab-uefi", Partition("1", "lab-uefi")),
        (
            "deploy:a:1:2:unicast-cache",
            Deploy("a", "1", "2", "uefi", "pc7", method="UNICAST-CACHE"),
        ),
        (
            "restore:a:1:2:TORRENT:no-fallback",
            Restore("a", "1", "2", method="TORRENT-CACHE", fallback=False),
        ),
        ("inventory", Inventory()),
        ("inventory:hardware", Inventory()),
        ("inventory:software:1:2", Inventory("software", "1", "2")),
        ("inventory:os:1:PARTUUID=11bd6b5c-01", Inventory("os", "1", "PARTUUID=11bd6b5c-01")),
        ("boot:1:2", Boot("1", "2")),
        ("boot:1:2:kexec", Boot("1", "2", "kexec")),
        ("boot:largest:2:firmware", Boot("largest", "2", "firmware")),
    ],
)
def test_a_job_is_a_value_whatever_gave_it(words: str, job: Job) -> None:
    assert parse_job(Settings(job=words, layout="uefi", hostname="pc7")) == job


def test_every_job_has_its_word_and_its_example() -> None:
    """Whoever adds a job says how a netboot entry asks for it."""
    words = {WORKS[work] for work in GRAMMAR}
    assert words == set(get_args(Job))
    for work, grammar in GRAMMAR.items():
        first = grammar.partition(" or ")[0].partition("[")[0]
        example = first.replace("IMAGE", "lab/a").replace("DISK", "1").replace("PART", "2")
        job = parse_job(Settings(job=example.replace("LAYOUT", "bios")))
        assert type(job) is WORKS[work], example


@pytest.mark.parametrize(
    "job",
    [
        *("configure:1", "configure:1:2:hostname", "configure:a:1:2", "adapt:1:2:all"),
        *("partition:1", "partition:1:../x", "partition:1:2:3", "inventory:os", "inventory:1:2"),
        *("boot", "boot:1", "boot:1:2:grub", "boot:1:2:kexec:", "boot:/dev/sda:1", "Boot:1:2"),
        *("deploy", "erase:a:1:2", "deploy:a:1", "deploy::1:2", "a:b:c:d:e", "deploy:a:1:2:3"),
        *("deploy:a:1:2:unicast:", "deploy:a:1:2::no-fallback", "restore:a:1:2:unicast-disk"),
        *("restore:a:1:2:unicast:no", "restore:a:1:2:unicast:no-fallback:x", "restore:a:1:unicast"),
        *("restore:a", "restore:a:1:", "restore:a:1:2:3", "create:a:1:0", "create:a@2:1:2"),
        *(
            "update_cache",
            "update_cache:",
            "update_cache:a:1",
            "update-cache:a",
            ":a",
            "DEPLOY:a:1:2",
        ),
        *("update_cache:a@", "update_cache:a@0", "update_cache:a@1@2", "update_cache:a@x"),
        *("restore:CACHE:../a:1:2", "restore:CACHE:/a:1:2", "restore:CACHE", "create:CACHE:a:1:2"),
        *("restore:../a:1:2", "restore:/etc/a:1:2", "restore:a/../b:1:2", "restore:a//b:1:2"),
        *("restore:a.img:1:2", "restore:-x:1:2", "restore:a:/dev/sda:1", "restore:a:-x:1"),
        *("restore:a:1:/x", "restore:a:1:$(id)", "restore:ä:1:2", f"restore:{'a' * 201}:1:2"),
        *("restore:http://h/a:1:2", "deploy:a:1:٣", "restore:a:1:1234", "restore:a\x1b:1:2"),
    ],
)
def test_a_job_that_is_not_understood_is_refused(job: str) -> None:
    with pytest.raises(UsageError, match=r"ogjob=.* is no job: ") as caught:
        parse_job(Settings(job=job))
    assert caught.value.hint == "Mend the netboot entry."
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("does", "fails"), [("kill -TERM $$", False), ("exit 1", True)])
def test_systemctl_is_ended_by_what_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, fails: bool
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\n{does}\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    end_of_job("stay")
    with pytest.raises(ProcessError) if fails else nullcontext():
        end_of_job("poweroff")


@pytest.mark.parametrize(
    ("firmware", "table", "types", "code"),
    [
        (Firmware.UEFI, TableKind.GPT, {"LINUX"}, OgErr.NOTBIOS),
        (Firmware.BIOS, TableKind.GPT, {"LINUX", "EFI"}, OgErr.NOTUEFI),
        (Firmware.BIOS, TableKind.NONE, set(), OgErr.PARTITION),
    ],
)
def test_a_table_that_the_firmware_cannot_boot_is_refused(
    firmware: Firmware, table: TableKind, types: set[str], code: OgErr
) -> None:
    with pytest.raises(OgError) as caught:
        check_table(table, types, firmware, "/dev/sda")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("firmware", "table", "types"),
    [
        (Firmware.UEFI, TableKind.GPT, {"LINUX", "EFI"}),
        (Firmware.BIOS, TableKind.MSDOS, {"LINUX"}),
        (Firmware.BIOS, TableKind.GPT, {"LINUX", "BIOS-BOOT"}),
    ],
)
def test_a_table_that_the_firmware_can_boot_passes(
    firmware: Firmware, table: TableKind, types: set[str]
) -> None:
    check_table(table, types, firmware, "/dev/sda")


def test_a_name_is_looked_up_in_the_repository() -> None:
    told = Settings(repository="10.0.0.1:8080")
    assert reference.resolve("debian", told).url == "http://10.0.0.1:8080/images/debian.img"
    assert (
        reference.resolve("lab1/debian", told).url == "http://10.0.0.1:8080/images/lab1/debian.img"
    )


def test_an_address_and_a_file_are_taken_as_they_are() -> None:
    assert reference.resolve("http://h/images/lab1/a.img", Settings()).name == "lab1/a"
    assert reference.resolve("http://h/x/a.img", Settings()).url == "http://h/x/a.img"
    assert reference.resolve("./a.img", Settings()).path == Path("a.img")
    odd = reference.resolve("./a\x1b\udced.img", Settings())
    assert (odd.path, odd.name) == (Path("a\x1b\udced.img"), "a\\x1b\\udced")


@pytest.mark.parametrize("text", ["http://h/a.iso", "http://h/a b.img", "x y"])
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        reference.resolve(text, Settings(repository="h"))
