# SPDX-License-Identifier: GPL-3.0-or-later
"""What every verb gets beside its arguments, and how a person is asked before data go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oglib.disk.find import find_disk
from oglib.disk.model import Disk
from oglib.errors import OgErr, OgError, UsageError, printable
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.wording import columns


@dataclass(frozen=True, slots=True)
class Result:
    """What a verb found or did: data for ``--json``, the same as text for a person.

    ``diff`` follows the text: on a terminal as one can have it, to a program byte for byte.
    """

    data: object
    text: str
    status: int = 0
    diff: bytes = b""


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one command."""

    args: argparse.Namespace
    settings: Settings
    progress: Progress

    def disk(self) -> Disk:
        """The disk named on the command line, rules as this PC has them."""
        return find_disk(self.args.disk, rules=self.settings.disk_rules)

    def warn(self, text: str) -> None:
        print_stderr(f"og: warning: {text}")

    def tell(self, facts: Sequence[str]) -> None:
        """What a person should know while work goes on; never part of a result."""
        for fact in facts:
            print_stderr(f"  {fact}")

    def confirm(self, question: str, facts: Callable[[], Sequence[str]]) -> None:
        """Show what would be destroyed and ask; ``--yes`` and ``--dry-run`` skip.

        ``facts`` are only gathered for somebody who is asked: looking for systems takes time.
        Raises when the answer is not yes, and when nobody can be asked.
        """
        if self.args.yes or self.args.dry_run:
            return
        self.tell(facts())
        if not sys.stdin.isatty():
            raise UsageError(
                f"{question} Nobody can be asked here.", hint="Say --yes to go on without asking."
            )
        print_stderr(f"{question} [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise OgError("Nothing was changed: the answer was not yes.", code=OgErr.GENERIC)


def print_stderr(text: str, *, end: str = "\n") -> None:
    """To the person: on a terminal in lines of its width."""
    # nothing stands in the last column: the answer to a question begins in the same line
    room = columns.of(sys.stderr)
    lines = columns.broken(printable(text), room and room - 1, indent="    ")
    print("\n".join(lines), end=end, file=sys.stderr, flush=True)


Handler = Callable[[Context], Result]
