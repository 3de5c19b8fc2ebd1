# SPDX-License-Identifier: GPL-3.0-or-later
"""One module for each verb of `ognetboot`: `add` makes its parser, `run` gives the text to print.

A verb's module has its name, with `_` behind it where Python has that word already.
"""

from __future__ import annotations

import argparse
from typing import Protocol


class Verbs(Protocol):
    """Where a verb's parser is made."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:
        """A parser for the verb `name`."""
