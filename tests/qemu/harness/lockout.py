# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying to get in where nobody may: keyboard, serial line and network of a running PC."""

from __future__ import annotations

from harness import portscan
from harness.clock import Deadline, poll
from harness.errors import ProductFailure
from harness.lan import Lan
from harness.machine import Machine
from harness.portscan import Scan

# A shell turns this into OG42; the typed text itself, echoed or not, never holds that word.
QUESTION = "\nroot\necho OG$((40+2))\n"
ANSWER = "OG42"
_PORTS = (*range(1, 1025), 2008, 2009, 5900, 6000, 8080, 8443, 8889, 9091, 22222)
_SECONDS_PER_BATCH = 5


def scan_ports(lan: Lan, address: str) -> Scan:
    """Which TCP ports of the PC answer the LAN: all of the low ones, and those others use."""
    return lan.call(lambda: portscan.scan(address, _PORTS, _SECONDS_PER_BATCH))


def try_serial_line(machine: Machine) -> None:
    """Type on the serial line; what it answers is judged at the end of the run."""
    machine.running.console.send(QUESTION.replace("\n", "\r"))


def try_keyboard(machine: Machine, terminals: range = range(2, 7)) -> None:
    """Type on the first screen and on the other terminals; all but the first stay black.

    Each change of terminal is awaited by the picture, which also proves that keys arrive.
    """
    screen = machine.running.screen
    screen.type(QUESTION)
    for terminal in terminals:
        _show(machine, 1)
        _show(machine, terminal)
        screen.type(QUESTION)
    for terminal in terminals:
        _show(machine, 1)
        if ANSWER in screen.text():
            raise ProductFailure("a shell answered on the first screen")
        _show(machine, terminal)  # black still, although all that was typed has arrived


def _show(machine: Machine, terminal: int) -> None:
    """Change the terminal and wait until the screen is black, or not when it is the first."""
    what = f"terminal {terminal} {'shows text' if terminal == 1 else 'is black'}"
    deadline = Deadline(machine.timeouts.command, f"{machine.name}: {what}")
    screen = machine.running.screen
    screen.press("alt", f"f{terminal}")
    poll(lambda: True if screen.is_black() == (terminal != 1) else None, deadline)
