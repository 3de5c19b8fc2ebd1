# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness' pure parts: what it reads out of logs, tables and reports, and how it shards."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest
from harness import accesslog, frames, screen
from harness.accel import KVM, TCG, Accelerator
from harness.disks import Disk
from harness.display import Display
from harness.errors import HarnessError, ProductFailure
from harness.firsthour import Unit
from harness.inventory import LOCKED_PC, PCS, UEFI_PC, inventory_text
from harness.owner import is_stale, own_name
from harness.paths import ROOT
from harness.qemu_argv import FromDisk, FromNetwork, Wiring, machine_argv
from harness.readme import commands
from harness.ready_state import emulator_panicked
from harness.report import BootReport
from harness.selection import Shard, pick_shard
from harness.shell import Result

from ogrepo.install import units
from ogrepo.install.model import InstallRequest, Program

_LOG = """\
ogrepo serves /x at http://10.77.0.1:80/ (0 images); stop it with Ctrl-C.
2026-11-20T13:44:49 10.77.0.11 GET /images/d.img.json - 200 900 3ms
2026-11-20T13:44:50 10.77.0.11 GET /images/d.img bytes=0-99 206 100 3ms
2026-11-20T13:44:51 10.77.0.11 GET /images/d.img bytes=100-299 206 200 3ms
2026-11-20T13:44:52 10.77.0.12 GET /images/d.img bytes=300-399 206 cut 3ms
2026-11-20T13:44:53 10.77.0.12 GET /images/d.img bytes=300- 404 20 3ms
"""


def test_access_log_tells_who_fetched_what() -> None:
    requests = accesslog.parse(_LOG)
    assert len(requests) == 5
    reads = accesslog.served(requests, ["/images/d.img"])
    assert [one.span for one in reads] == [(0, 100), (100, 300), (300, 300)]
    assert accesslog.total_bytes(reads) == 300
    assert len(accesslog.served(requests, ["/images/d.img"], "10.77.0.12")) == 1


def test_spans_that_were_not_fetched_are_found() -> None:
    reads = accesslog.served(accesslog.parse(_LOG), ["/images/d.img"])
    assert accesslog.missing(reads, [(0, 50), (50, 250), (290, 310), (300, 400)]) == [
        (290, 310),
        (300, 400),
    ]


def test_frame_table_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    row = struct.pack("<QII", 5, 7, 0) + bytes(72)
    head = struct.pack("<16sIIQ", b"OGLIVE-FRAMES\0\0\1", len(row), 1 << 20, 1)
    path.write_bytes(head + row)
    assert frames.spans(path) == [(5, 12)]
    path.write_bytes(b"X" + (head + row)[1:])
    with pytest.raises(Exception, match="no frame table"):
        frames.spans(path)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shards_together_run_everything_once(tmp_path: Path, count: int) -> None:
    known = tmp_path / "covering.toml"
    known.write_text("[covering]\na = { seconds = 900 }\nb = { seconds = 100 }\n[further]\n")
    names = ["a", "b", "c", "d", "e"]
    parts = [pick_shard(names, Shard(index + 1, count), known) for index in range(count)]
    assert sorted(name for part in parts for name in part) == names


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_wrong_shards_are_refused(text: str) -> None:
    with pytest.raises(Exception, match="I/N"):
        Shard.parse(text)


def test_own_work_is_never_stale_and_a_dead_owner_is() -> None:
    assert not is_stale(own_name())
    assert is_stale(own_name() + "1")
    assert not is_stale("somebody-else")


def test_json_answer_is_found_between_progress_reports() -> None:
    output = '{"progress": {"phase": "x"}}\nnoise {\n{\n  "a": 1\n}\n{"progress": {}}\n'
    assert Result("x", 0, output).json() == {"a": 1}
    with pytest.raises(ProductFailure, match="no error object"):
        Result("x", 0, output).error()


def _report(**changes: object) -> str:
    raw: dict[str, object] = {
        "hostname": "pc",
        "machine_id": "m",
        "firmware": "bios",
        "running": "running",
        "failed": [],
        "fstab": "# c\nUUID=r / ext4 defaults 0 1\nUUID=s none swap sw 0 0\n",
        "findmnt": {"filesystems": [{"target": "/", "uuid": "r", "children": []}]},
        "grub_device": "/dev/vda1",
        "grub_uuid": "r",
        "cmdline": "root=UUID=r",
        "pretty_name": "Debian",
    }
    return json.dumps({**raw, **changes})


def test_report_is_read_although_the_kernel_breaks_in() -> None:
    text = _report()
    broken = f"{text[:40]}[   12.300000] audit: type=1131\r\n{text[40:]}"
    report = BootReport.parse(f"\r\n[   11.300000] a kernel line\r\n{broken}\r\n")
    assert report.root_uuid == "r"
    assert report.fstab_uuids() == {"/": "r", "swap": "s"}


def test_fstab_by_device_name_is_a_failure() -> None:
    report = BootReport.parse(_report(fstab="/dev/sda1 / ext4 defaults 0 1"))
    with pytest.raises(ProductFailure, match="not by UUID"):
        report.fstab_uuids()


def test_text_mode_screen_is_read_as_text() -> None:
    window = b"".join(bytes([char, 7]) for char in b"grub rescue>".ljust(80) + bytes(80))
    assert screen.text_of(window) == "grub rescue>"


def test_keys_of_a_shell_question() -> None:
    assert [screen.keys_of(char) for char in "a$( "] == [
        ["a"],
        ["shift", "4"],
        ["shift", "9"],
        ["spc"],
    ]


def test_pc_that_boots_from_its_disk_has_no_network_card() -> None:
    wiring = Wiring(Path("/r"), Path("/l"), "tap1", Path("/v"))
    disk = Disk(Path("/d.raw"), "target")
    shape = UEFI_PC.shape()
    from_network = machine_argv(shape, TCG, FromNetwork(), [disk], wiring)
    from_disk = machine_argv(shape, TCG, FromDisk(), [disk], wiring)
    assert any("virtio-net-pci" in word for word in from_network)
    assert not any("virtio-net-pci" in word for word in from_disk)
    assert any('"romfile": ""' in word for word in from_network)
    assert any('"bootindex": 0' in word for word in from_disk)


def test_every_pc_of_the_room_is_its_own() -> None:
    assert len({pc.mac for pc in PCS}) == len(PCS)
    assert f'mac = "{LOCKED_PC.mac}"' in inventory_text()


def test_readme_commands_are_what_a_reader_types(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "# x\n\n## One\n\ntext\n\n    make image   # said\n    run a#b\n\nmore\n\n    later\n\n"
        "## Two\n\ntext only\n"
    )
    assert commands(readme, "One") == ["make image", "run a#b"]
    for heading in ("Two", "Three"):
        with pytest.raises(HarnessError, match=heading):
            commands(readme, heading)


def test_the_server_block_of_the_readme_is_three_commands() -> None:
    image, install, check = commands(ROOT / "README.md", "Use it on your network")
    assert image == "make image"
    assert install.startswith(".venv/bin/ogrepo install ")
    assert check.startswith(".venv/bin/ogrepo check ")


def test_an_installed_unit_is_started_as_it_says() -> None:
    wanted = InstallRequest(Path("/srv/og live"))
    program = Program(Path("/root/og/ogrepo"), Path("/o"), Path("/d"), roots=(Path("/root/og"),))
    made = units.texts(wanted, program, 80)
    served = Unit.parse(made[units.REPOSITORY])
    assert served.argv == ("/root/og/ogrepo", "serve", "/srv/og live", "--port", "80")
    assert (served.user, served.rights) == ("oglive", "+net_bind_service")
    assert served.shown == ("/root/og",)
    assert "--bounding-set=-all,+net_bind_service" in served.script()
    dhcp = Unit.parse(made[units.DNSMASQ])
    assert dhcp.rights == "+net_admin,+net_raw,+net_bind_service"
    assert dhcp.user.isdigit()
    assert "mkdir -p /var/lib/oglive-dnsmasq" in dhcp.script()


def test_a_half_line_of_progress_is_not_shown() -> None:
    shown = io.StringIO()
    display = Display(shown)
    for chunk in ("[5] restore: 14.0 MiB of 28", "0.2 MiB\r\n[100] restore: 280.2", " MiB\r\n"):
        display.on_console(chunk)
    lines = [line.partition("%  ")[2] for line in shown.getvalue().splitlines()]
    assert lines == ["restore: 14.0 MiB of 280.2 MiB", "restore: 280.2 MiB"]


@pytest.mark.parametrize(
    ("serial", "accel", "panicked"),
    [
        ("[   12.9] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n", TCG, True),
        ("[   12.9] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n", KVM, False),
        ("[   12.9] Oops: 0002 [#1] PREEMPT SMP NOPTI\n", TCG, False),
        (None, TCG, False),
    ],
)
def test_only_the_emulators_own_panic_is_started_anew(
    tmp_path: Path, serial: str | None, accel: Accelerator, panicked: bool
) -> None:
    log = tmp_path / "serial.log"
    if serial is not None:
        log.write_text(serial)
    assert emulator_panicked(log, accel) is panicked
