# SPDX-License-Identifier: GPL-3.0-or-later
"""What fits a system to a PC, as values: each is checked, shown, and done; all of them in order.

A check only reads, and all of them come before the first write. What it finds is a value: the files
with old and new content, or why there is nothing to do, or why it cannot be done. A check that
raises refuses the whole work; one that answers ``CANNOT`` is one failed step beside the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from oglib.errors import OgError, UsageError
from oglib.fitting.changes import Change
from oglib.fitting.edits import Edit, Files, bytes_of, shown
from oglib.fitting.steps import Outcome, Step

Facts = TypeVar("Facts")
_Facts_contra = TypeVar("_Facts_contra", contravariant=True)


class Need(StrEnum):
    """What a check found."""

    NEEDED = "needed"
    NOT_NEEDED = "not-needed"
    CANNOT = "cannot"


_FORESEEN = {
    Need.NEEDED: Outcome.DONE,
    Need.NOT_NEEDED: Outcome.NOT_NEEDED,
    Need.CANNOT: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class Check:
    """``detail``: what will be done, why nothing is, or why it cannot be. ``edits``: the files."""

    need: Need
    detail: str
    edits: tuple[Change, ...] = ()


class Fitting(Protocol[_Facts_contra]):
    """One thing that makes a system a PC's own; a value without any state."""

    @property
    def name(self) -> str:
        """A word by which a person asks for it alone."""

    def check(self, root: Files, facts: _Facts_contra) -> Check:
        """What it would do; only reads. OgError refuses the whole work."""

    def apply(self, root: Files, facts: _Facts_contra, checked: Check) -> str:
        """Do what was checked, on the same root; what was done. OgError where it failed."""


@dataclass(frozen=True, slots=True)
class FileFitting(Generic[Facts]):
    """A fitting that only writes files: those that ``probe`` found."""

    name: str
    probe: Callable[[Files, Facts], Check]

    def check(self, root: Files, facts: Facts) -> Check:
        """As ``Fitting``; a file that cannot be read is this fitting's alone."""
        try:
            return self.probe(root, facts)
        except UsageError:
            raise
        except OgError as error:
            return Check(Need.CANNOT, error.message)

    def apply(self, root: Files, facts: Facts, checked: Check) -> str:  # noqa: ARG002
        for edit in checked.edits:
            edit.write(root)
        return checked.detail


@dataclass(frozen=True, slots=True)
class CheckedFitting(Generic[Facts]):
    """A fitting with what its check found."""

    fitting: Fitting[Facts]
    facts: Facts
    checked: Check

    @property
    def foreseen(self) -> Step:
        """The step as it will end; one that is certain to fail has failed already."""
        return self._step(_FORESEEN[self.checked.need], self.checked.detail)

    @property
    def diff(self) -> bytes:
        """What it changes in the system's files, as a unified diff."""
        return b"".join(edit.diff for edit in self.checked.edits)

    def done(self, root: Files) -> Step:
        """Do it; a failure is the step's, the next one goes on."""
        if self.checked.need is not Need.NEEDED:
            return self.foreseen
        try:
            detail = self.fitting.apply(root, self.facts, self.checked)
        except OgError as error:
            return self._step(Outcome.FAILED, error.message)
        except OSError as error:
            named = f" {error.filename}" if error.filename else ""
            why = f"The system refused{named}: {error.strerror or error}."
            return self._step(Outcome.FAILED, why)
        return self._step(Outcome.DONE, detail)

    def _step(self, outcome: Outcome, detail: str) -> Step:
        """With words of the system's files as every screen and log can have them."""
        return Step(self.fitting.name, outcome, shown(bytes_of(detail)))


def edited(edits: Sequence[Change], detail: str, otherwise: str = "already so") -> Check:
    """The check of a fitting that writes these files; ``otherwise``: why none is written."""
    real = tuple(one for one in edits if not isinstance(one, Edit) or one.old != one.new)
    return Check(Need.NEEDED, detail, real) if real else Check(Need.NOT_NEEDED, otherwise)


def chosen(fittings: Sequence[Fitting[Facts]], only: Collection[str]) -> tuple[Fitting[Facts], ...]:
    """Those that are asked for, in their own order; all where nobody asks for any."""
    return tuple(one for one in fittings if not only or one.name in only)


def check_all(
    root: Files, facts: Facts, fittings: Sequence[Fitting[Facts]]
) -> tuple[CheckedFitting[Facts], ...]:
    """Every fitting with what it would do; nothing is written."""
    return tuple(CheckedFitting(one, facts, one.check(root, facts)) for one in fittings)
