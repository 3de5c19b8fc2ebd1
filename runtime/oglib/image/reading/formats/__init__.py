# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that other tools made: recognised, described, and handed over as regions of content.

``detect`` and ``folders.folder`` are the doors; whoever rarely meets such an image imports them
where it is met, for they bring the readers and their libraries. Most commands only need the words
of ``model``.
"""
