# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run leaves: a table for people, ``bench.json``, a plot, and the page of the last full run.

The page (``docs/performance.md``) keeps its own text; only what is between its two marks is
written anew.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Works
from bench.rows import Row

_PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_PICTURE = Path("images") / "performance.svg"
_BEGIN, _END = "<!-- bench: written by `make bench` -->", "<!-- bench: end -->"


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run. ``is_full``: large and long enough for the page."""

    rows: list[Row]
    works: Works
    used_bytes: int
    rounds: int
    seconds: float
    is_full: bool


def write(result: Result, out: Path) -> None:
    """Print the table and write everything else below ``out``."""
    table = _table(result.rows)
    print(table)
    print(f"\n{_conditions(result)}")
    text = json.dumps(_as_dict(result), indent=1) + "\n"
    (out / "bench.json").write_text(text, encoding="utf-8")
    pictures = [out / "bench.svg", out / "bench.png"]
    if result.is_full:
        pictures.append(_PAGE.parent / _PICTURE)
        _write_page(f"{_conditions(result)}\n\n{table}\n\n![The ratios]({_PICTURE})\n")
    else:
        print("A small run: its figures say nothing, and the page stays as it is.")
    _plot(result.rows, pictures)


def _bound(row: Row) -> str:
    if row.at_least is not None:
        return f"≥ {row.at_least:g}"
    return f"≤ {row.at_most:g}" if row.at_most is not None else ""


def _verdict(row: Row) -> str:
    if row.share is None:
        return ""
    if not row.is_met:
        return "MISSED"
    return "met" if row.share >= 1 else f"{row.share:.0%} of it"


def _table(rows: list[Row]) -> str:
    head = ["work", "compared with", "where", "ours", "theirs", "ratio", "bound", ""]
    lines = [
        [
            row.work, f"{row.peer}, with its sleep" if row.peer_sleeps else row.peer, row.place,
            f"{row.ours:.4g} {row.unit}", f"{row.theirs:.4g} {row.unit}", f"{row.ratio:.2f}",
            _bound(row), _verdict(row),
        ]
        for row in sorted(rows, key=lambda row: (row.is_met is None, row.peer_sleeps))
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]

    def line(cells: list[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(head), rule, *map(line, lines)])


def _conditions(result: Result) -> str:
    starts = [
        sample.start_seconds
        for samples in result.works.samples.values()
        for sample in samples
        if sample.start_seconds
    ]
    start = f"{statistics.median(starts):.2f} s" if starts else "not measured"
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, {os.cpu_count()} processors, "
        f"Linux {platform.release()}. {result.used_bytes / 1e6:.0f} MB of used data, "
        f"{result.rounds} rounds interleaved (2 of the rows with partclone's sleep and with the "
        f"capped source), medians, {result.seconds / 60:.0f} minutes: "
        f"`{shlex.join(['python', '-m', 'bench', *sys.argv[1:]])}`. Rates are used data per "
        f"second. Less than 95 % of a bound is a miss. Where nothing is said, partclone's sleep is "
        f"removed. Ours are library calls; "
        f"starting a command costs {start} besides."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _as_dict(result: Result) -> dict[str, object]:
    return {
        "used_bytes": result.used_bytes,
        "rounds": result.rounds,
        "seconds": round(result.seconds, 1),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "rows": [row.as_dict() for row in result.rows],
        "runs": {
            name: [
                {
                    "seconds": round(each.seconds, 4),
                    "cpu_seconds": round(each.cpu_seconds, 4),
                    "start_seconds": round(each.start_seconds, 4),
                    "peak_bytes": each.peak_bytes,
                }
                for each in samples
            ]
            for name, samples in result.works.samples.items()
        },
    }


def _write_page(block: str) -> None:
    before, begin, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _old, end, after = rest.partition(_END)
    _PAGE.write_text(f"{before}{begin}\n\n{block}\n{end}{after}", encoding="utf-8")


def _plot(rows: list[Row], paths: list[Path]) -> None:
    """One bar a row, and a mark where its bound is."""
    import matplotlib as mpl  # noqa: PLC0415 - seconds to load, and only the end needs it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "oglive"  # the same figures give the same file
    from matplotlib import pyplot  # noqa: PLC0415

    shown = [row for row in rows if not row.peer_sleeps][::-1]
    figure, axes = pyplot.subplots(figsize=(11, 0.32 * len(shown) + 1.2), layout="constrained")
    colours = {None: "#9aa5b1", True: "#2f855a", False: "#c53030"}
    for place, row in enumerate(shown):
        axes.barh(place, row.ratio, color=colours[row.is_met], height=0.7)
        bound = row.at_least if row.at_least is not None else row.at_most
        if bound is not None:
            axes.plot([bound, bound], [place - 0.45, place + 0.45], color="black", linewidth=2)
        axes.text(row.ratio, place, f" {row.ratio:.2f}", va="center", fontsize=8)
    labels = [f"{row.work} / {row.peer} ({row.place})" for row in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.set_xlabel("ratio; black: the bound (rates: at least, amounts and times: at most)")
    axes.margins(x=0.08, y=0.01)
    for path in paths:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
