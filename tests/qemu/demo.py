# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo``: a blank UEFI PC becomes a working Debian over the network, watched live.

The same harness as the scenarios, told for people: pictures of the menu, of the restore and of
the restored login, and a table of what was measured, under build/demo/.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field

from harness import restored
from harness.accel import choose
from harness.captured import Captured, capture
from harness.clock import Deadline, poll
from harness.display import Display
from harness.errors import HarnessError, ProductFailure
from harness.golden import GoldenDisks
from harness.inventory import BENCH, DEMO_PC
from harness.lan import Lan
from harness.machine import Machine
from harness.owner import make_work_dir
from harness.paths import BUILD, LiveArtifacts
from harness.qemu_argv import Firmware
from harness.ready_state import ReadyState
from harness.report import BootReport
from harness.room import Bench, Room
from harness.server import Server
from harness.steps import LOG, step

OUT = BUILD / "demo"
_JOB_LOG = "/run/oglive/job.log"
_RECEIPTS = "/run/oglive/receipts/*.json"
_WIRE = ("ogvmlinuz", "oginitrd.img", "ogclient.sqfs", "ogclient.erofs")
_JOB_END = "OGLIVE-JOB status="
_PICTURE_AT_PERCENT = 40


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a restore says of itself, as far as it is shown here."""

    written_bytes: int
    fetched_bytes: int
    seconds: float
    verified: str


@dataclass(slots=True)
class Table:
    """What was measured and answered, in the order it is shown."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        self.rows.append((name, value))

    def text(self) -> str:
        width = max(len(name) for name, _ in self.rows)
        return "\n".join(f"  {name.ljust(width)}  {value}".rstrip() for name, value in self.rows)


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def _sizes(live: LiveArtifacts, table: Table) -> None:
    sizes = [(name, (live.folder / name)) for name in _WIRE]
    found = [(name, path.stat().st_size) for name, path in sizes if path.exists()]
    for name, size in found:
        table.add(name, _megabytes(size))
    table.add("over the wire", f"{_megabytes(sum(size for _, size in found))} (limit 160 MB)")


def _capture(room: Room, golden: GoldenDisks, table: Table) -> Captured:
    image = capture(room, golden.get(Firmware.UEFI), "debian-uefi")
    manifest = room.server.manifest(image.name)
    used = int(str(manifest["used_blocks"])) * int(str(manifest["block_size"]))
    stored = int(str(manifest["image_size_bytes"]))
    rate = used / image.capture_seconds
    table.add(
        "capture",
        f"{_megabytes(used)} of Debian as {_megabytes(stored)} in {image.capture_seconds:.0f} s, "
        f"{rate / 1e6:.1f} MB/s, verified and signed by the repository",
    )
    return image


def _choose_in_menu(room: Room, pc: Machine) -> None:
    """Wait for the menu, take its picture, choose the marked line as a person would."""
    deadline = Deadline(pc.timeouts.ready, "the menu is on the screen")
    path = f"/netboot/ipxe/mac-{DEMO_PC.mac.replace(':', '-')}.ipxe"
    poll(lambda: any(one.path == path for one in room.server.requests()) or None, deadline)
    screen = pc.running.screen
    screen.press("down")  # any key stops the menu's clock
    screen.press("up")
    screen.wait_until_still(deadline)
    screen.dump(OUT / "menu.png")
    screen.press("ret")


def _watch_job(pc: Machine) -> Receipt:
    """Follow the job that the PC does by itself, as its serial line tells; what it wrote."""
    limit = pc.timeouts.long_command
    half = rf"\[(?:{_PICTURE_AT_PERCENT // 10}|[5-9])\d\] restore|\[100\] restore|{_JOB_END}"
    pc.wait_for_console(half, limit, "the restore is half done")
    pc.running.screen.dump(OUT / "restore.png")
    status = pc.wait_for_console(rf"{_JOB_END}(\d+)", limit, "the job ends")[1]
    deadline = Deadline(pc.timeouts.command, "the PC tells what the job did")
    said = pc.running.shell.execute(f"cat {_JOB_LOG}", deadline).output
    if status != b"0" or "Ready: Debian 13 as" not in said:
        raise ProductFailure(f"the job failed:\n{said}")
    pc.running.screen.dump(OUT / "ready.png")
    written = json.loads(pc.running.shell.execute(f"cat {_RECEIPTS}", deadline).output)
    return Receipt(**{name: written[name] for name in Receipt.__slots__})


def _restore(room: Room, table: Table) -> Machine:
    pc = room.pc(DEMO_PC, room.empty_disk("target", size_mib=4096))
    with step("a blank UEFI PC boots from the network: firmware PXE, iPXE, menu"):
        pc.netboot()
        _choose_in_menu(room, pc)
    with step("ogLive starts in its memory"):
        chosen = time.monotonic()
        pc.wait_for_ready()
        started = time.monotonic() - chosen
        total = time.monotonic() - pc.running.started
    table.add("power-on to ready", f"{total:.0f} s ({started:.0f} s of it from the menu)")
    with step("partition, restore, fit and make it bootable"):
        done = _watch_job(pc)
    table.add(
        "restore",
        f"{_megabytes(done.written_bytes)} written from {_megabytes(done.fetched_bytes)} in "
        f"{done.seconds:.1f} s, {_megabytes(done.written_bytes / done.seconds)}/s, {done.verified}",
    )
    return pc


def _answers(report: BootReport, table: Table) -> None:
    table.add("the restored system says", "")
    table.add("  system", f"{report.pretty_name}, firmware {report.firmware}")
    table.add("  hostname", report.hostname)
    table.add("  state", f"{report.running}, {len(report.failed)} failed units")
    root = report.mounts["/"]
    table.add("  findmnt /", f"{root['source']} {root['fstype']} UUID={report.root_uuid}")
    for where, uuid in report.fstab_uuids().items():
        table.add(f"  fstab {where}", f"UUID={uuid}")
    table.add("  GRUB reads", f"{report.grub_device} UUID={report.grub_uuid}")


def _story(display: Display, stack: ExitStack, table: Table) -> None:
    begun = time.monotonic()
    live = LiveArtifacts.find("test")
    accel = choose(live.folder / "ogvmlinuz")
    table.add("accelerator", accel.name.upper())
    _sizes(LiveArtifacts.find("default"), table)
    logs = OUT / "logs"
    with step("a repository server on a network of its own"):
        work = make_work_dir()
        stack.callback(shutil.rmtree, work)
        lan = Lan()
        stack.callback(lan.close)
        server = Server(lan, work / "repository", logs / "server", accel.timeouts)
        server.prepare(live)
        server.start()
        stack.callback(server.stop)
    bench = Bench(lan, accel, server, {BENCH.firmware: ReadyState(lan, server, accel, live, logs)})
    room = Room(bench, disk_dir=work / "disks", log_dir=logs)
    stack.callback(room.close)
    room.listeners.append(display.on_console)
    image = _capture(room, GoldenDisks(lan, accel, logs), table)
    pc = _restore(room, table)
    with step("the PC starts from its disk alone"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
        pc.running.screen.wait_until_still(Deadline(pc.timeouts.command, "the login is shown"))
        pc.running.screen.dump(OUT / "login.png")
    restored.check(report, pc.disks[0], image, hostname=DEMO_PC.name)
    _answers(report, table)
    table.add("this demo took", f"{time.monotonic() - begun:.0f} s")


def main() -> int:
    """Run the story; 0 when the restored system answered as it must."""
    if OUT.exists():
        shutil.rmtree(OUT)
    OUT.mkdir(parents=True)
    LOG.quiet = True
    LOG.into(OUT / "steps.log")
    table = Table()
    try:
        with Display() as display, ExitStack() as stack:
            LOG.listeners.append(display.on_step)
            _story(display, stack, table)
    except (HarnessError, AssertionError) as error:
        # Outside pytest an assertion has no words of its own: its line is what there is to tell.
        what = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
        print(f"\ndemo: {what}\nlogs: {OUT}", file=sys.stderr)
        return 1
    pictures = " ".join(str(path) for path in sorted(OUT.glob("*.png")))
    (OUT / "summary.txt").write_text(table.text() + "\n", "utf-8")
    print(f"\n{table.text()}\n\n  pictures: {pictures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
