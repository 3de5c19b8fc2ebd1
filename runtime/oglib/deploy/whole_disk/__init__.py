# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole disk: its image, from here or from Clonezilla and FOG; capture, size, restore, verify."""
