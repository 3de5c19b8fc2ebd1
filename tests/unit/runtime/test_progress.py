# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person and a program see while work goes on."""

from __future__ import annotations

import io
import json

import pytest

from oglib import progress


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_are_said_in_binary_units(count: int, text: str) -> None:
    assert progress.human_bytes(count) == text


def test_lines_begin_with_the_per_cent_that_the_old_browser_reads() -> None:
    stream = io.StringIO()
    with progress.for_stream(stream).phase("restore", 200) as phase:
        phase.advance(100)
    first, *_, last = stream.getvalue().splitlines()
    assert first.startswith("[0] restore: 0 B of 200 B")
    assert last.startswith("[100] restore: 100 B of 200 B")


def test_json_lines_are_objects_with_numbers() -> None:
    stream = io.StringIO()
    with progress.for_stream(stream, as_json=True).phase("capture", 10) as phase:
        phase.advance(10)
    events = [json.loads(line)["progress"] for line in stream.getvalue().splitlines()]
    assert events[-1]["done_bytes"] == 10
    assert events[-1]["finished"] is True


def test_a_bar_fits_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    bar = progress.Progress(progress.Bar(stream))
    with bar.phase("a rather long name of a phase", 3 << 40) as phase:
        phase.advance(1 << 40)
    for line in stream.getvalue().replace("\n", "").split("\r\x1b[K"):
        assert len(line) < 80


def test_failed_work_is_not_drawn_as_finished() -> None:
    stream = io.StringIO()

    def work() -> None:
        with progress.for_stream(stream).phase("restore", 100):
            raise OSError("cable out")

    with pytest.raises(OSError, match="cable out"):
        work()
    assert "[100]" not in stream.getvalue()
