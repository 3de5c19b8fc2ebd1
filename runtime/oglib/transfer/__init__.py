# SPDX-License-Identifier: GPL-3.0-or-later
"""How image bytes reach this PC and leave it: reading ranges over HTTP, and uploads.

Knows URLs, connections and patience; it does not know what an image is. Nothing here decides
which way of transfer is taken, and nothing here writes to a disk of this PC.
"""
