# SPDX-License-Identifier: GPL-3.0-or-later
"""How an import ends: what was taken, what has another name now, and what has no place with us."""

from __future__ import annotations

from dataclasses import dataclass, field

from ognetboot.inventory.editing import NewTable

# A person reads so many lines of a list; `--json` has all.
_MOST_SHOWN = 100


@dataclass(slots=True)
class Outcome:
    """The tables to write, and the three lists."""

    tables: list[NewTable] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def report(self) -> str:
        """The lists for a person."""
        lists = (
            ("Taken", self.taken),
            ("Renamed", self.renamed),
            ("Not representable", self.left_out),
        )
        return "\n".join(line for title, lines in lists for line in _list(title, lines))

    def as_json(self) -> dict[str, list[str]]:
        """The lists for a program."""
        return {
            "taken": self.taken,
            "renamed": self.renamed,
            "not_representable": self.left_out,
        }


def _list(title: str, lines: list[str]) -> list[str]:
    # A field of somebody's table may hold a line break, which would look like a line of ours.
    shown = [f"  {' '.join(line.split())}" for line in lines[:_MOST_SHOWN]]
    if len(lines) > _MOST_SHOWN:
        shown.append(f"  and {len(lines) - _MOST_SHOWN} more (--json has all)")
    return [f"{title}: {len(lines)}", *shown]
