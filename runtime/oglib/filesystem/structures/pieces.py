# SPDX-License-Identifier: GPL-3.0-or-later
"""What a filesystem says is used, in pieces: the form in which its own maps are handed on."""

from __future__ import annotations

from typing import NamedTuple

ALL = -1


class Piece(NamedTuple):
    """``units`` pieces of ``unit`` bytes from byte ``start``: those whose bits are set are used.

    The lowest bit is the first unit; ``ALL``: every unit is used.
    """

    start: int
    unit: int
    units: int
    bits: int


class Least(NamedTuple):
    """From byte ``start`` to ``end`` at least so many units of ``unit`` bytes are used."""

    start: int
    end: int
    unit: int
    units: int
