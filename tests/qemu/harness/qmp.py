# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's control channel: commands and awaited events, over the well-kept qemu.qmp library."""

from __future__ import annotations

import asyncio
import socket

from qemu.qmp import QMPError
from qemu.qmp.legacy import QEMUMonitorProtocol

from harness.clock import Deadline
from harness.errors import HarnessError, ProductFailure

Event = dict[str, object]


class Monitor:
    """A negotiated QMP connection of one machine."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._qmp = QEMUMonitorProtocol(connection)
        try:
            self._qmp.connect()
        except (QMPError, OSError) as error:
            self._qmp.close()
            raise HarnessError(f"QMP: {error}") from error
        self._qmp.settimeout(timeout_s)
        self._kept: list[Event] = []

    def command(self, name: str, arguments: dict[str, object] | None = None) -> object:
        """Run a QMP command; a refusal by QEMU is a harness error."""
        try:
            return self._qmp.cmd(name, **(arguments or {}))
        except (QMPError, OSError, TimeoutError) as error:
            raise HarnessError(f"QMP {name}: {error or type(error).__name__}") from error

    def human(self, line: str) -> str:
        """A command of the human monitor, for the few things QMP lacks."""
        return str(self.command("human-monitor-command", {"command-line": line}))

    def wait_event(self, name: str, deadline: Deadline) -> Event:
        """The next event of this name, taken out of what was heard so far or awaited."""
        while True:
            for event in self._kept:
                if event["event"] == name:
                    self._kept.remove(event)
                    return event
            try:
                heard = self._qmp.pull_event(wait=max(deadline.left, 0.001))
            except TimeoutError as error:
                raise deadline.fail() from error
            except (QMPError, EOFError, asyncio.CancelledError, OSError) as error:
                raise ProductFailure(
                    f"the machine went away (waiting for: {deadline.what}): {error}"
                ) from error
            assert heard is not None
            self._kept.append(heard)

    def close(self) -> None:
        try:
            self._qmp.close()
        except (QMPError, OSError, EOFError):
            return  # the machine has ended: there is nobody to say goodbye to
