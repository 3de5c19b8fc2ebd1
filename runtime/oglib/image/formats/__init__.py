# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that other programs made: recognised by their own bytes, read as a stream of regions."""
