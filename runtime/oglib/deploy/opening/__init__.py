# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls an image to an open one: names, addresses, files; ours and foreign."""
