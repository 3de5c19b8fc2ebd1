# SPDX-License-Identifier: GPL-3.0-or-later
"""How an import ends: what was taken, what has another name now, and what has no place with us."""

from __future__ import annotations

from dataclasses import dataclass, field

from ognetboot.inventory.editing import NewTable

# A person reads so many lines of a list; `--json` has all.
_MOST_SHOWN = 100
_MOST_NAMED = 10


@dataclass(slots=True)
class Outcome:
    """The tables to write, and the lists.

    `left_out`: what is not taken, each with its reason. `there`: what the inventory has already.
    `pcs`: how many were read; `pcs_left_out`: which of them are neither taken nor there. `notes`:
    what a person must look at first.
    """

    tables: list[NewTable] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pcs: int = 0
    pcs_left_out: list[str] = field(default_factory=list)

    def leave_out(self, where: str, why: str) -> None:
        """A PC that is not taken."""
        self.left_out.append(f"left out: {where}: {why}")
        self.pcs_left_out.append(where)

    def report(self) -> str:
        """The lists for a person."""
        lists = (
            ("Taken", self.taken),
            ("Renamed", self.renamed),
            ("Not representable", self.left_out),
        )
        lines = [f"Look at this: {note}." for note in self.notes]
        lines += [line for title, each in lists for line in _list(title, each)]
        return "\n".join(lines + (_list("Already there", self.there) if self.there else []))

    def end(self) -> str:
        """How many PCs were left out, and which; empty: none of them."""
        gone = self.pcs_left_out
        if not gone:
            return ""
        more = f" and {len(gone) - _MOST_NAMED} more" if len(gone) > _MOST_NAMED else ""
        were = "was" if len(gone) == 1 else "were"
        total = f"{self.pcs} PC{'' if self.pcs == 1 else 's'}"
        return f"{len(gone)} of {total} {were} left out: {', '.join(gone[:_MOST_NAMED])}{more}"

    def as_json(self) -> dict[str, list[str]]:
        """The lists for a program."""
        return {
            "taken": self.taken,
            "renamed": self.renamed,
            "not_representable": self.left_out,
            "already_there": self.there,
            "left_out": self.pcs_left_out,
            "notes": self.notes,
        }


def _list(title: str, lines: list[str]) -> list[str]:
    # A field of somebody's table may hold a line break, which would look like a line of ours.
    shown = [f"  {' '.join(line.split())}" for line in lines[:_MOST_SHOWN]]
    if len(lines) > _MOST_SHOWN:
        shown.append(f"  and {len(lines) - _MOST_SHOWN} more (--json has all)")
    return [f"{title}: {len(lines)}", *shown]
