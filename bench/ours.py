# SPDX-License-Identifier: GPL-3.0-or-later
"""The process in which one call of ours is timed; started by ``measure.run_ours``.

Its only argument is JSON, its only output one line of JSON. The clock runs around the library's
own calls, from opening the image to the receipt.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bench.measure import peak_of
from oglib.image.any import Image
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.local import create_local, local_image
from oglib.image.reading.opened import open_image
from oglib.image.reading.source import FileSource
from oglib.image.reading.vouching import Policy
from oglib.image.writing.restore import restore
from oglib.progress import Progress, Silent


class _Capped(FileSource):
    """A file that gives ``rate`` bytes a second at most, all its readers together."""

    def __init__(self, path: Path, rate: int) -> None:
        super().__init__(path)
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = time.monotonic()

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + length / self._rate
            until = self._free_at
        data = super().read(offset, length)
        time.sleep(max(0.0, until - time.monotonic()))
        return data


def _opened(path: Path, cap_bytes: int, stack: ExitStack) -> Image:
    if not path.with_name(path.name + ".json").exists():
        return stack.enter_context(closing(open_stream(FileSource(path), path.name)))
    if not cap_bytes:
        return stack.enter_context(local_image(path))
    manifest = path.with_name(path.name + ".json").read_bytes()
    frames = path.with_name(path.name + ".frames")
    source = _Capped(path, cap_bytes)
    return stack.enter_context(open_image(manifest, None, frames, source, (), Policy()))


def main(words: dict[str, Any]) -> dict[str, Any]:
    progress = Progress(Silent())
    started = time.monotonic()
    if words["action"] == "capture":
        device, path = Path(words["device"]), Path(words["path"])
        create_local(device, path, filesystem="ext4", progress=progress)
        said: dict[str, Any] = {}
    else:
        with ExitStack() as stack:
            image = _opened(Path(words["image"]), words.get("cap_bytes", 0), stack)
            said = restore(
                image, Path(words["target"]), progress=progress,
                verify=words["read_back"], delta=words.get("delta", False),
            ).as_dict()  # fmt: skip
    seconds = time.monotonic() - started
    return {**said, "seconds": seconds, "peak_bytes": peak_of("self")}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
