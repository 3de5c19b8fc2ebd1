# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that are folders: what Clonezilla and FOG saved of a disk, and its small texts."""
