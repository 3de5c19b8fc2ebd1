# SPDX-License-Identifier: GPL-3.0-or-later
"""``og report``: one archive for support, without secrets."""

from __future__ import annotations

from oglib.cli.arguments import Subparsers, verb
from oglib.cli.context import Context, Result


def add_to(nouns: Subparsers) -> None:
    made = verb(nouns, "report", _report, "one file for support: versions, disks, logs; no secrets")
    made.add_argument(
        "--output", metavar="FILE", default="", help="file or folder; default: here, or /run/oglive"
    )


def _report(context: Context) -> Result:
    # not before: nobody waits for its patterns who only asks what there is
    from oglib.inventory.report import make_report  # noqa: PLC0415

    report = make_report(context.args.output, context.settings)
    for one in report.missing:
        context.warn(f"not in the report: {one}")
    data = {
        "path": str(report.path),
        "parts": list(report.parts),
        "missing": list(report.missing),
    }
    return Result(data, f"{report.path}\nLook through it before you send it: zstd -dc | tar -x")
