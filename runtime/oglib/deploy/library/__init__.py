# SPDX-License-Identifier: GPL-3.0-or-later
"""Images among themselves: converted, shrunk, chosen, and kept in the cache."""
