# SPDX-License-Identifier: GPL-3.0-or-later
"""One module for each verb of `ognetboot`: `add` makes its parser, `run` gives the text to print.

A verb's module has its name, with `_` behind it where Python has that word already.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

# Where `ogrepo install` puts it.
INVENTORY = Path("/etc/oglive/inventory.toml")


class Verbs(Protocol):
    """Where a verb's parser is made."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:
        """A parser for the verb `name`."""


def add_inventory(parser: argparse.ArgumentParser) -> None:
    """The option `--inventory`, for the verbs that a person types often."""
    parser.add_argument(
        "--inventory",
        type=Path,
        default=INVENTORY,
        metavar="FILE",
        help="the inventory (default: %(default)s)",
    )


def add_test(parser: argparse.ArgumentParser) -> None:
    """The option `--test`."""
    parser.add_argument(
        "--test",
        action="store_true",
        help="allow the test and debug profiles, whose root console is open",
    )


def add_loaders(parser: argparse.ArgumentParser) -> None:
    """The option `--loaders`."""
    parser.add_argument(
        "--loaders",
        type=Path,
        metavar="DIR",
        help="look here first for loaders: under the names they are served by (snponly.efi), or as "
        "in Debian's packages (usr/lib/ipxe/snponly.efi); then in those of `make setup`, then in /",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object for programs")


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of as many cells each, the columns under each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
