# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a server: asked for by a signal, or because a part of it failed."""

from __future__ import annotations

import asyncio
import signal
import threading

from ognetboot import keeping


class Stop(asyncio.Event):
    """Set by SIGINT and SIGTERM; from then on no thread of this server waits for a lock."""

    def __init__(self) -> None:
        super().__init__()
        self._of_threads = threading.Event()
        keeping.wait_no_longer_than(self._of_threads)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.set)

    def set(self) -> None:
        self._of_threads.set()
        super().set()
