# SPDX-License-Identifier: GPL-3.0-or-later
"""The iPXE scripts that forms answer with: guarded templates, filled in here. Pure."""

from __future__ import annotations

from ognetboot.inventory.entries import Entry
from ognetboot.inventory.model import Client, Inventory
from ognetboot.texts.languages import Language, environment

# What became of a registration, and of a password.
WAITING, KNOWN, NO_NAME, FULL = "waiting", "known", "no_name", "full"
OPEN, WRONG, LATER, NOT_NOW = "open", "wrong", "later", "not_now"
