# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person and a program see while work goes on."""

from __future__ import annotations

import io
import json

import pytest

from oglib import progress, reporters
from oglib.wording.amounts import human_bytes


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_are_said_in_binary_units(count: int, text: str) -> None:
    assert human_bytes(count) == text


def test_lines_begin_with_the_per_cent_that_the_old_browser_reads() -> None:
    stream = io.StringIO()
    with reporters.for_stream(stream).phase("restore", 200) as phase:
        phase.advance(100)
    first, *_, last = stream.getvalue().splitlines()
    assert first.startswith("[0] restore: 0 B of 200 B")
    assert last.startswith("[100] restore: 100 B of 200 B")


def test_json_lines_are_objects_with_numbers() -> None:
    stream = io.StringIO()
    with reporters.for_stream(stream, as_json=True).phase("capture", 10) as phase:
        phase.advance(10)
    events = [json.loads(line)["progress"] for line in stream.getvalue().splitlines()]
    assert events[-1]["done_bytes"] == 10
    assert events[-1]["finished"] is True


def test_a_bar_fits_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    bar = progress.Progress(reporters.Bar(stream))
    with bar.phase("a rather long name of a phase", 3 << 40) as phase:
        phase.advance(1 << 40)
    for line in stream.getvalue().replace("\n", "").split("\r\x1b[K"):
        assert len(line) < 80


def test_failed_work_is_not_drawn_as_finished() -> None:
    stream = io.StringIO()

    def work() -> None:
        with reporters.for_stream(stream).phase("restore", 100):
            raise OSError("cable out")

    with pytest.raises(OSError, match="cable out"):
        work()
    assert "[100]" not in stream.getvalue()


def test_what_was_there_already_is_no_part_of_the_rate() -> None:
    phase = progress.Phase("restore", 1000, progress.Silent())
    phase.started -= 10
    phase.skip(900)
    phase.advance(50)
    assert phase.percent == 95
    assert 0 < phase.rate <= 5.0


def test_a_task_says_what_comes_onto_what_and_counts_its_steps() -> None:
    stream = io.StringIO()
    steps = ["partition", "restore", "fit"]
    task = reporters.for_stream(stream).task("Debian 13 onto disk 1", steps)
    task.step("partition")
    task.step("fit")
    assert stream.getvalue().splitlines() == [
        "Debian 13 onto disk 1",
        "step 1 of 3: partition",
        "step 3 of 3: fit",
    ]
    with pytest.raises(ValueError, match="not in tuple"):
        task.step("partition")


def test_tasks_steps_and_waits_are_objects_for_programs() -> None:
    stream = io.StringIO()
    told = reporters.for_stream(stream, as_json=True)
    told.task("a onto b", ["one", "two"]).step("two")
    told.waits("10.0.0.2:80 to answer", 2.04)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"task": {"text": "a onto b", "total": 2}},
        {"step": {"text": "two", "number": 2, "total": 2}},
        {"waiting": {"text": "10.0.0.2:80 to answer", "seconds": 2.0}},
    ]


def test_a_sentence_over_a_bar_leaves_no_half_line() -> None:
    stream = io.StringIO()
    bar = reporters.Bar(stream)
    told = progress.Progress(bar, bar.emit)
    with told.phase("restore", 100):
        told.waits("10.0.0.2:8080 to answer", 2.2)
    bar_line, said, _ = stream.getvalue().split("\r\x1b[K")[1:]
    assert bar_line.startswith("restore")
    assert said == "waiting for 10.0.0.2:8080 to answer (2 s)\n"
