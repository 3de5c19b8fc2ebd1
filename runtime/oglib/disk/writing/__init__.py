# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned table brought onto the disk and into the kernel, and proven there."""
