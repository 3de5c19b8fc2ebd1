# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an inventory: each fault with its place, its cause and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ognetboot.errors import NetbootError

# Where a value stands: keys of tables, and places in lists counted from 0.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """`where` is the place as a person names it, `path` as the file nests it; `what` says the
    cause. A warning keeps nothing from being rendered."""

    path: Path
    where: str
    what: str
    hint: str
    warning: bool = False

    def sentence(self) -> str:
        """Place and cause."""
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Faults:
    """All that was found in one reading of the file `source`."""

    source: str
    found: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Keep one more."""
        self.found.append(fault)

    @property
    def errors(self) -> list[Fault]:
        """Those for which nothing is rendered."""
        return [one for one in self.found if not one.warning]

    def refusal(
        self,
        errors: Iterable[Fault] | None = None,
        *,
        line_of: Callable[[Path], int] | None = None,
    ) -> NetbootError | None:
        """The first error as the sentence of a refusal, with its line where `line_of` tells it;
        None: there is none."""
        first = next(iter(self.errors if errors is None else errors), None)
        if first is None:
            return None
        place = f"{self.source}:{line_of(first.path)}" if line_of else self.source
        return NetbootError(f"{place}: {first.sentence()}", hint=first.hint)
