# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying to get in where nobody may: keyboard, serial line and network of a running PC."""

from __future__ import annotations

from harness import keyboard, portscan
from harness.errors import ProductFailure
from harness.lan import Lan
from harness.machine import Machine
from harness.portscan import Scan

# A shell turns this into OG42; the typed text itself, echoed or not, never holds that word.
QUESTION = "\nroot\necho OG$((40+2))\n"
ANSWER = "OG42"
_TERMINALS = range(1, 7)
_PORTS = (*range(1, 1025), 2008, 2009, 5900, 6000, 8080, 8443, 8889, 9091, 22222)
_SECONDS_PER_BATCH = 5


def scan_ports(lan: Lan, address: str) -> Scan:
    """Which TCP ports of the PC answer the LAN: all of the low ones, and those others use."""
    return lan.call(lambda: portscan.scan(address, _PORTS, _SECONDS_PER_BATCH))


def try_serial_line(machine: Machine) -> None:
    """Type on the serial line; what it answers is judged at the end of the run."""
    machine.running.console.send(QUESTION.replace("\n", "\r"))


def try_keyboard(machine: Machine) -> None:
    """Type on the first terminal and, after the keys that change to them, on five others."""
    for terminal in _TERMINALS:
        machine.running.screen.press("alt", f"f{terminal}")
        keyboard.type_all(machine, QUESTION)
    machine.running.screen.press("alt", "f1")
    keyboard.wait_until_heard(machine)


def check_screen(machine: Machine) -> str:
    """No shell has answered and no login is offered; what the screen shows instead."""
    text = machine.running.screen.text()
    for word in (ANSWER, "login:", "Password:"):
        if word in text:
            raise ProductFailure(f"{word!r} is on the screen:\n{text}")
    return text
