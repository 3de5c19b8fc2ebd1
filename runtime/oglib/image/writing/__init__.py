# SPDX-License-Identifier: GPL-3.0-or-later
"""From content to a target: guard, writers, read-back, the map of what is done, restores."""
