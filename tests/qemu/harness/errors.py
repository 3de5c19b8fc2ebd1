# SPDX-License-Identifier: GPL-3.0-or-later
"""Two ways a scenario ends badly: the product failed, or the harness did. They never mix."""

from __future__ import annotations


class HarnessError(Exception):
    """The harness, the host or a missing artefact is at fault; the product was not judged."""


class ProductFailure(AssertionError):
    """The machine under test did not do what the story says."""


class WaitTimeoutError(ProductFailure):
    """Something awaited did not happen within its deadline."""
