# SPDX-License-Identifier: GPL-3.0-or-later
"""From a layout and a disk as found to the exact table to write; pure."""
