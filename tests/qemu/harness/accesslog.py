# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's access log as values: who fetched which part of which file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LINE = re.compile(
    r"^\S+ (?P<client>[\d.:a-f]+) (?P<method>[A-Z]+) (?P<path>/\S*) (?P<range>\S+) "
    r"(?P<status>\d{3}) (?P<size>\d+|cut) \d+ms$"
)
Span = tuple[int, int]
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``size_bytes`` is None when the answer was cut off."""

    client: str
    method: str
    path: str
    first_byte: int
    status: int
    size_bytes: int | None

    @property
    def span(self) -> Span:
        """The bytes of the file that were answered, as [first, end)."""
        return self.first_byte, self.first_byte + (self.size_bytes or 0)


def parse(text: str) -> list[Request]:
    """Every request in the log, in order; other lines are skipped."""
    found = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            asked = _RANGE.fullmatch(match["range"])
            size = None if match["size"] == "cut" else int(match["size"])
            found.append(
                Request(
                    match["client"],
                    match["method"],
                    match["path"],
                    int(asked[1]) if asked else 0,
                    int(match["status"]),
                    size,
                )
            )
    return found


def served(requests: Iterable[Request], paths: Sequence[str], client: str = "") -> list[Request]:
    """The answered reads of one file, whatever it was called, of one client or of all."""
    return [
        request
        for request in requests
        if request.method == "GET"
        and request.path in paths
        and request.status in (200, 206)
        and (not client or request.client == client)
    ]


def total_bytes(requests: Iterable[Request]) -> int:
    """How many bytes were answered in full."""
    return sum(request.size_bytes or 0 for request in requests)


def missing(
    requests: Iterable[Request], wanted: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Those of the wanted spans [first, end) that the answers do not cover."""
    merged: list[list[int]] = []
    for first, end in sorted(request.span for request in requests):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([first, end])
    return [
        span
        for span in wanted
        if not any(first <= span[0] and span[1] <= end for first, end in merged)
    ]
