# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that start an installed system, and the scripts of that name that sites call."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from oglib.boot.default_entry import Start
from oglib.boot.linux_start import find_start
from oglib.deploy.system.start import StartPlan, plan_start, start
from oglib.errors import OgErr, OgError, UsageError
from oglib.osconfig.opened_system import opened_system
from oglib.shim.command import Command, command_of
from oglib.shim.site_scripts import custom_of, run_instead
from oglib.shim.target import partition_of, warn


def _planned(words: Sequence[str]) -> StartPlan:
    disk, part = partition_of(*words[:2])
    return plan_start(disk, part, given=_given(words[2]) if len(words) > 2 else None)


def _given(text: str) -> Start:
    """``KERNEL INITRD OPTIONS`` as one word, which is how the old functions hand it on."""
    kernel, *rest = text.split()[:2] or [""]
    if not kernel:
        raise UsageError("There is no kernel in the third argument.")
    options = " ".join(text.split()[2:])
    return Start("", kernel, tuple(rest), options)


def _boot(words: Sequence[str]) -> None:
    plan = _planned(words)
    if plan.why:
        warn(plan.why)
    start(plan)


def _parameters(words: Sequence[str]) -> str:
    disk, part = partition_of(*words)
    with opened_system(disk, part) as opened:
        found = find_start(opened.root, opened.subvolume)
    initrd = f"/{found.initrds[-1]}" if found.initrds else ""
    return f"/{found.kernel} {initrd} {found.options}"


def _boot_os(words: Sequence[str]) -> None:
    """With what the site adds before it; what cannot be started is refused before that runs."""
    _planned(words)
    _print("[0] Starting the system.")
    if custom := custom_of("bootOs"):
        command_of("ogEcho").run(("log", "session", f"[10] {custom} runs before it."))
        command_of("ogMount").run(words[:2])
        _run(str(custom), words)
    _print("[70] Unmounting all filesystems.")
    _print("[90] Starting.")
    _boot(words)


def _run(program: str, words: Sequence[str]) -> None:
    """A script of the site's: its failure is told, and keeps no PC from starting."""
    from oglib.streams import run_through  # noqa: PLC0415  few sites have one

    def take(piece: bytes) -> None:
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()

    if status := run_through(program, *words, take=take):
        warn(f"{program} ended with {status}")


def _print(text: str) -> None:
    print(text, flush=True)


def _session(words: Sequence[str]) -> None:
    """A ``bootOs`` of the site's own goes before ours."""
    place = ["1", *words] if len(words) == 1 else [*words]
    run_instead("bootOs", place)
    _boot_os(place)


def _windows(words: Sequence[str]) -> None:
    if command_of("ogGetOsType").run(words[:2]) == "Windows":
        raise OgError(
            "A Windows is not started from here yet.",
            hint="Start it from its disk.",
            code=OgErr.NOTOS,
        )
    _boot_os(words)


_WHAT = "DISK PARTITION [KERNEL INITRD OPTIONS]"
_EXAMPLE = "1 2"
_WAYS = (
    "With UEFI the firmware starts the system's own loader (shim or GRUB, in EFI/Part-01-02 or the "
    "distribution's folder), once; without one, and on a BIOS, its kernel is started by ours. The "
    "entry of a submenu and the saved one are found too, and root= stays as the menu has it. What "
    "cannot be started is refused before anything is unmounted. A Windows is NOTOS: not yet."
)
COMMANDS = {
    command.name: command
    for command in (
        Command("ogBoot", _WHAT, "starts the system on a partition", _boot, 2, 3,
                f"ogBoot {_EXAMPLE}", _WAYS),
        Command("ogLinuxBootParameters", "DISK PARTITION",
                "prints kernel, initrd and command line of a Linux' default entry", _parameters,
                2, 2, "ogLinuxBootParameters 1 2 → /boot/vmlinuz /boot/initrd.img root=… ro",
                "Paths are of the system, also where /boot is a partition of its own. Of several "
                "initrds it is the last. A menu that starts no Linux is NOTOS."),
        Command("bootOs", _WHAT, "starts the system on a partition, after bootOsCustom", _boot_os,
                2, 3, f"bootOs {_EXAMPLE}", _WAYS),
        Command("bootLinux", _WHAT, "the same as bootOs", _boot_os, 2, 3,
                f"bootLinux {_EXAMPLE}", "As bootOs."),
        Command("bootWindows", _WHAT, "the same as bootOs", _windows, 2, 3,
                f"bootWindows {_EXAMPLE}", "As bootOs: a Windows is NOTOS."),
        Command("IniciarSesion", "[DISK] PARTITION", "starts the system on a partition by bootOs",
                _session, 1, 2, f"IniciarSesion {_EXAMPLE}", "A bootOs of the site's wins."),
    )
}  # fmt: skip
