# SPDX-License-Identifier: GPL-3.0-or-later
"""What everybody may read: the door, files and their ranges, listings, and the server of it all."""
