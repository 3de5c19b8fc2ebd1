# SPDX-License-Identifier: GPL-3.0-or-later
"""What many ask for at once is done at once: a room of PCs costs one write, not forty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """`do` takes all that came while it was busy, in a thread, one call at a time; it gives an
    answer for each."""

    def __init__(self, do: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._do = do
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, one: T) -> R:
        """The answer for this one."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting, []
            try:
                answers = await asyncio.to_thread(self._do, [one for one, _ in now])
            except Exception as error:  # noqa: BLE001 - each that asked raises it
                for _, future in now:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), answer in zip(now, answers, strict=True):
                    if not future.done():  # who asked may be gone
                        future.set_result(answer)
        self._worker = None
