# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and partitions: which there are, and writing partition tables as planned."""
