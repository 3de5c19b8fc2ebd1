# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress that nobody reads, for all tests whose subject it is not."""

from __future__ import annotations

from oglib.progress import Progress, Silent

QUIET = Progress(Silent())
