# SPDX-License-Identifier: GPL-3.0-or-later
"""Typing on a running PC so that its kernel takes every key.

QEMU's queue of keys is short and drops what does not fit, so after every few keys Caps Lock is
pressed: when its LED changes, the kernel has taken what was typed before it.
"""

from __future__ import annotations

from harness.clock import Deadline, poll
from harness.machine import Machine

_LED_EVENT = "ps2_set_ledstate"
_AT_ONCE = 24


def type_all(machine: Machine, text: str) -> None:
    """Type a text of any length."""
    for at in range(0, len(text), _AT_ONCE):
        machine.running.screen.type(text[at : at + _AT_ONCE])
        wait_until_heard(machine)


def wait_until_heard(machine: Machine) -> None:
    """Until the kernel has taken every key that was pressed before."""
    machine.running.monitor.command("trace-event-set-state", {"name": _LED_EVENT, "enable": True})
    _press_caps_lock(machine)
    _press_caps_lock(machine)  # off again: text shall be typed as it is


def _press_caps_lock(machine: Machine) -> None:
    running = machine.running
    before = running.process.log_text().count(_LED_EVENT)
    deadline = Deadline(machine.timeouts.command, f"{machine.name}'s kernel hears the keys")
    running.screen.press("caps_lock")
    poll(lambda: running.process.log_text().count(_LED_EVENT) > before or None, deadline)
