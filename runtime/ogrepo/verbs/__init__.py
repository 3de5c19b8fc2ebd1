# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of ``ogrepo``: each says its words, calls the rooms, and tells as text or JSON."""
