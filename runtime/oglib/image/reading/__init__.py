# SPDX-License-Identifier: GPL-3.0-or-later
"""From stored bytes to content: sources, volumes, decompression, the formats of other tools."""
