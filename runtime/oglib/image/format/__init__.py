# SPDX-License-Identifier: GPL-3.0-or-later
"""What our images are made of: manifests, signatures, frame tables, bitmaps, partclone's header."""
