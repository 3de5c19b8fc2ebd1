# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that are known by their digest, from whichever of several places has them."""
