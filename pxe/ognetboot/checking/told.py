# SPDX-License-Identifier: GPL-3.0-or-later
"""One fault as a person reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """One fault as it is told; `line` from 1."""

    file: str
    line: int
    severity: str
    where: str
    cause: str
    hint: str

    def __str__(self) -> str:
        hint = f"{self.hint[:1].upper()}{self.hint[1:]}{'' if self.hint.endswith('?') else '.'}"
        place = f"{self.where}: " if self.where else ""
        return f"{self.file}:{self.line}: {self.severity}: {place}{self.cause}. {hint}"
