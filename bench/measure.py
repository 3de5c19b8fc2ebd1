# SPDX-License-Identifier: GPL-3.0-or-later
"""Running and timing: pipelines of processes, all of whose ends are judged, and interleaved rounds.

A pipeline's time is from the start of its first program to the end of its last one. Peak memory
is what the kernel noted for each process image (VmHWM); ``ru_maxrss`` would count the parent's
pages that a child held between fork and exec.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from oglib.errors import OgError

_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. ``cpu_seconds`` is user and system time of all its processes."""

    seconds: float
    cpu_seconds: float
    start_seconds: float = 0.0
    peak_bytes: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """One program of a pipeline and what is preloaded into it alone."""

    argv: tuple[str, ...]
    preload: Path | None = None


def run_pipeline(stages: Iterable[Stage], into: Path | None = None) -> Sample:
    """Run ``stages`` joined by pipes; every one must end with status 0.

    The last one's standard output goes to ``into``.
    """
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())
        out: IO[bytes] | int = stack.enter_context(into.open("wb")) if into else subprocess.DEVNULL
        rows = list(stages)
        started = time.monotonic()
        before: IO[bytes] | int = subprocess.DEVNULL
        try:
            for row in rows:
                last = row is rows[-1]
                process = subprocess.Popen(
                    row.argv, stdin=before, stdout=out if last else subprocess.PIPE, stderr=said,
                    env=_environment(row.preload),
                )  # fmt: skip
                processes.append(process)
                if not isinstance(before, int):
                    before.close()  # or a dead reader would never be noticed
                before = process.stdout or subprocess.DEVNULL
            cpu = sum(_ended(process) for process in processes)
        except BaseException:
            for process in processes:
                process.kill()
            raise
        seconds = time.monotonic() - started
        bad = [
            f"{row.argv[0]} ended with {process.returncode}"
            for row, process in zip(rows, processes, strict=True)
            if process.returncode
        ]
        if bad:
            said.seek(0)
            words = " | ".join(" ".join(row.argv) for row in rows)
            raise OgError(
                f"The pipeline `{words}` failed: {', '.join(bad)}.",
                hint=said.read().decode(errors="replace")[-2000:],
            )
    return Sample(seconds, cpu)


def _environment(preload: Path | None) -> dict[str, str]:
    kept = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TERM": "dumb"}
    return {**kept, "LD_PRELOAD": str(preload)} if preload else kept


def _ended(process: subprocess.Popen[bytes]) -> float:
    """Wait for ``process``; its processor seconds, those of its own children included."""
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def run_ours(action: str, *, module: str = "bench.ours", **options: str | int | bool) -> Sample:
    """One call of the library in a process of its own (``module``, a program that says JSON).

    ``seconds`` is the call, ``start_seconds`` what Python took to start and to load it.
    """
    argv = (sys.executable, "-m", module, json.dumps({"action": action, **options}))
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None  # noqa: S101 - it was asked for
        watch = _Watch(process.pid)
        try:
            answer = process.stdout.read()
            cpu = _ended(process)
        except BaseException:
            process.send_signal(signal.SIGTERM)
            raise
        finally:
            watch.stop()
            process.stdout.close()
        seconds = time.monotonic() - started
        if process.returncode:
            said.seek(0)
            raise OgError(
                f"Our {action} of {options} ended with {process.returncode}.",
                hint=said.read().decode(errors="replace")[-3000:],
            )
    result = json.loads(answer)
    call = float(result["seconds"])
    peak = int(result["peak_bytes"]) + watch.children_bytes
    return Sample(call, cpu, seconds - call, peak, result)


class _Watch:
    """Notes the peak memory of a process's children while they live."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.children_bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(_LOOK_EVERY_S):
            self.children_bytes = max(self.children_bytes, self._now())

    def _now(self) -> int:
        try:
            threads = list(Path(f"/proc/{self._pid}/task").iterdir())
            children = {pid for each in threads for pid in (each / "children").read_text().split()}
        except OSError:
            return 0
        return sum(peak_of(pid) for pid in children)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()


def peak_of(pid: str) -> int:
    """The most memory that process ``pid`` (a number, or ``self``) has had, in bytes; 0 if gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


@dataclass(slots=True)
class Works:
    """Named pieces of work and their samples."""

    runs: dict[str, Callable[[], Sample]] = field(default_factory=dict)
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def rounds(self, names: Iterable[str], count: int) -> None:
        """Run ``names`` ``count`` times, one after the other in every round."""
        wanted = [name for name in names if name in self.runs]
        for number in range(count):
            # The order turns, so that none always follows the same neighbour.
            for name in wanted[number % max(len(wanted), 1) :] + wanted[: number % len(wanted)]:
                sample = self.runs[name]()
                self.samples.setdefault(name, []).append(sample)
                print(f"  {name:<44} {sample.seconds:8.2f} s", file=sys.stderr, flush=True)

    def seconds(self, name: str) -> float:
        """The median."""
        return statistics.median(each.seconds for each in self.samples[name])

    def peak(self, name: str) -> int:
        return max(each.peak_bytes for each in self.samples[name])
