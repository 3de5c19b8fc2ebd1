# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an inventory: each fault with its place, its cause and what to do."""

from __future__ import annotations

import re
import tomllib
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


# ---- text that is no TOML ------------------------------------------------------------------------

_AT = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)
# Curved and angular ones, in single and double, and the accents alone.
_TYPOGRAPHIC = "\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u0060\u00b4"
_OPEN_QUOTE = (
    "Illegal character '\\n'",
    "Illegal character '\\r'",
    "Unterminated string",
    'Expected "\'"',
)
_NAME = "a name takes letters without accents, digits, `-` and `_`; what people read is its `title`"


def broken(source: str, text: str, error: tomllib.TOMLDecodeError) -> NetbootError:
    """The refusal, which begins with file and line."""
    lines = text.splitlines() or [""]
    match = _AT.match(str(error))
    what = match[1] if match else str(error)
    line = int(match[2]) if match and match[2] else len(lines)
    sign = ""
    if match and match[2] and line <= len(lines):
        sign = lines[line - 1][int(match[3]) - 1 : int(match[3])]
    cause, hint = _words(what, sign)
    return NetbootError(f"{source}:{line}: not valid TOML: {cause}", hint=hint)


def _words(what: str, sign: str) -> tuple[str, str]:
    """Cause and hint, for what `tomllib` says and the sign where it stopped."""
    if what.startswith(_OPEN_QUOTE):
        return "a quote is not closed on this line", 'write "text" with one at each end'
    if what == "Invalid value" and sign and sign in _TYPOGRAPHIC:
        return f"`{sign}` stands where a value is to be", 'write "straight quotes"'
    if what == "Invalid value":
        begun = f"`{sign}` begins no value" if sign.strip() else "there is no value behind the `=`"
        return begun, 'text stands in quotes: title = "Aula 1"'
    if sign and not sign.isascii():
        return f"`{sign}` stands in a name", _NAME
    if what.startswith("Expected '='") or what == "Invalid statement":
        return "this is neither [TABLE] nor KEY = VALUE", f"correct that line: {_NAME}"
    return f"{what[:1].lower()}{what[1:]}", "correct that line"
