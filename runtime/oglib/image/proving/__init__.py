# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof without writing: an image against its digests, a target or another image against it."""
