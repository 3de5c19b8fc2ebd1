# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of an image that are kept: told, shown again, pinned, and let go of by policy."""
