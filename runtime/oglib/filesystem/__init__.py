# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems: one row of facts per kind; make, recognise, check, grow and mount them."""
