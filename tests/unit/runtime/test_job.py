# SPDX-License-Identifier: GPL-3.0-or-later
"""The job of a netboot entry, and what a deployment refuses before it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.boot.firmware import check_table
from oglib.deploy import source
from oglib.deploy.deploy import Request
from oglib.deploy.job import parse_job
from oglib.disk.firmware import Firmware
from oglib.disk.model import TableKind
from oglib.errors import OgErr, OgError, UsageError
from oglib.settings import Settings


def test_a_boot_without_a_job_has_nothing_to_do() -> None:
    assert parse_job(Settings()) is None


def test_a_job_is_the_same_request_that_a_person_makes() -> None:
    told = Settings(job="deploy:debian:1:2", layout="uefi", hostname="pc7")
    assert parse_job(told) == Request("debian", "1", "2", layout="uefi", hostname="pc7")


@pytest.mark.parametrize("job", ["deploy", "erase:a:1:2", "deploy:a:1", "deploy::1:2", "a:b:c:d:e"])
def test_a_job_that_is_not_understood_is_refused(job: str) -> None:
    with pytest.raises(UsageError, match="ogjob="):
        parse_job(Settings(job=job))


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
    assert source.resolve("debian", told).url == "http://10.0.0.1:8080/images/debian.img"
    assert source.resolve("lab1/debian", told).url == "http://10.0.0.1:8080/images/lab1/debian.img"


def test_an_address_and_a_file_are_taken_as_they_are() -> None:
    assert source.resolve("http://h/images/lab1/a.img", Settings()).name == "lab1/a"
    assert source.resolve("http://h/x/a.img", Settings()).url == "http://h/x/a.img"
    assert source.resolve("./a.img", Settings()).path == Path("a.img")
    odd = source.resolve("./a\x1b\udced.img", Settings())
    assert (odd.path, odd.name) == (Path("a\x1b\udced.img"), "a\\x1b\\udced")


@pytest.mark.parametrize("text", ["http://h/a.iso", "http://h/a b.img", "x y"])
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        source.resolve(text, Settings(repository="h"))
