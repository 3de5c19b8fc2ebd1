# SPDX-License-Identifier: GPL-3.0-or-later
"""The serial line of a machine: what it said, waiting for a marker, typing.

A thread reads the socket all the time (a serial line nobody reads would stall the guest). The
log on disk is written by QEMU itself, so it is complete whatever happens here.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable

from harness.clock import Deadline
from harness.errors import ProductFailure

_CHUNK_BYTES = 65536
_TAIL_CHARS = 1500
_PANIC = re.compile(rb"Kernel panic - not syncing[^\r\n]*")


_KERNEL_MESSAGE = re.compile(r"\[ *\d+\.\d{6}\] [^\n]*\n")


def without_kernel_messages(text: str) -> str:
    """The text as its writer wrote it: the kernel breaks into a line wherever it stands."""
    return _KERNEL_MESSAGE.sub("", text.replace("\r", ""))


class Console:
    """A connected serial line."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.name = name
        self._heard = bytearray()
        self._closed = False
        self._news = threading.Condition()
        self.listeners: list[Callable[[str], None]] = []
        self._socket = connection
        self._reader = threading.Thread(target=self._read, name=f"console-{name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = self._socket.recv(_CHUNK_BYTES)
            except OSError:
                chunk = b""
            with self._news:
                self._heard += chunk
                self._closed = self._closed or not chunk
                self._news.notify_all()
            if not chunk:
                return
            for listener in self.listeners:
                listener(chunk.decode("utf-8", "replace"))

    @property
    def position(self) -> int:
        """How much has been heard: give it to ``wait_for`` to look only at what comes after."""
        with self._news:
            return len(self._heard)

    def text(self, since: int = 0) -> str:
        with self._news:
            return self._heard[since:].decode("utf-8", "replace")

    def send(self, text: str) -> None:
        """Type this, as it is."""
        self._socket.sendall(text.encode())

    def wait_for(self, pattern: str, deadline: Deadline, *, since: int = 0) -> re.Match[bytes]:
        """The first match after ``since``; a panic or the end of the machine ends the wait."""
        wanted = re.compile(pattern.encode(), re.DOTALL)
        with self._news:
            while True:
                match = wanted.search(self._heard, since)
                if match:
                    # A copy: the buffer may not grow while a match refers to it.
                    found = wanted.search(bytes(self._heard), since)
                    assert found is not None
                    return found
                panic = _PANIC.search(self._heard, since)
                if panic:
                    raise ProductFailure(
                        f"{self.name}: {panic[0].decode(errors='replace')} "
                        f"(waiting for: {deadline.what})"
                    )
                if self._closed:
                    raise ProductFailure(
                        f"{self.name} went away (waiting for: {deadline.what}); its last words:\n"
                        f"{self._tail()}"
                    )
                if not self._news.wait(deadline.left) and deadline.passed:
                    raise deadline.fail(f"{self.name} last said:\n{self._tail()}")

    def _tail(self) -> str:
        return self._heard[-_TAIL_CHARS:].decode("utf-8", "replace")

    def close(self) -> None:
        with contextlib.suppress(OSError):  # QEMU was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()
