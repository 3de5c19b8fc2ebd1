# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain peer of a restore that is read back: the same bytes written and read directly.

Nothing is decompressed, hashed, compared or marked. Threads write the used bytes of the
filesystem from memory to their places on the disk, in large requests past the page cache;
others read them back a bounded distance behind; at the end the disk is flushed. Runs in a
process of its own, started by ``measure.run_ours``.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

from bench.measure import peak_of
from oglib.image.reading.local import local_image

_REQUEST_BYTES = 4 << 20
_THREADS = 2  # for each of the two ways
_BEHIND_REQUESTS = 16
_POPULATE_READ = 22  # MADV_POPULATE_READ, linux/mman.h

Places = list[tuple[int, int]]


def _used(image: Path) -> Places:
    """Where the content of ``image`` belongs: (offset, length), ascending, neighbours joined."""
    runs: Places = []
    with local_image(image) as opened:
        for index in range(1, len(opened.frames)):
            for offset, length in opened.runs(index):
                if runs and sum(runs[-1]) == offset:
                    offset, length = runs[-1][0], runs.pop()[1] + length  # noqa: PLW2901
                runs.append((offset, length))
    return runs


def _requests(runs: Places) -> Iterator[tuple[int, int]]:
    for offset, length in runs:
        for start in range(0, length, _REQUEST_BYTES):
            yield offset + start, min(_REQUEST_BYTES, length - start)


def main(words: dict[str, Any]) -> dict[str, Any]:
    runs = _used(Path(words["image"]))
    with Path(words["filesystem"]).open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    for offset, length in runs:  # what is written comes from memory: the pages are there before
        begin = offset - offset % mmap.PAGESIZE
        content.madvise(_POPULATE_READ, begin, offset + length - begin)
    fd = os.open(words["target"], os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
    started = time.monotonic()
    _write_and_read(fd, memoryview(content), runs)
    os.fdatasync(fd)
    seconds = time.monotonic() - started
    os.close(fd)
    return {"seconds": seconds, "peak_bytes": peak_of("self")}


def _write_and_read(fd: int, content: memoryview, runs: Places) -> None:
    """Return when everything is written and read; raise the first error of a thread."""
    written: Queue[tuple[int, int] | None] = Queue(_BEHIND_REQUESTS)
    wanted, lock = _requests(runs), threading.Lock()
    errors: list[BaseException] = []

    def write() -> None:
        while True:
            with lock:
                place = None if errors else next(wanted, None)
            if place is None:
                return
            offset, length = place
            if os.pwrite(fd, content[offset : offset + length], offset) != length:
                raise OSError(f"{length} bytes at {offset} were not written whole")
            written.put(place)

    def read() -> None:
        room = memoryview(mmap.mmap(-1, _REQUEST_BYTES))
        while (place := written.get()) is not None:
            offset, length = place
            if not errors and os.preadv(fd, [room[:length]], offset) != length:
                raise OSError(f"{length} bytes at {offset} were not read whole")

    def start(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)
                if work is read:
                    while written.get() is not None:
                        pass  # so that no writer waits for room for ever

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    writers = [start(write) for _ in range(_THREADS)]
    readers = [start(read) for _ in range(_THREADS)]
    for thread in writers:
        thread.join()
    for _ in readers:
        written.put(None)
    for thread in readers:
        thread.join()
    if errors:
        raise errors[0]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
