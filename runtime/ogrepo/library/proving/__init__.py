# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving what is published, at a pace, and remembering what was found of which image when."""
