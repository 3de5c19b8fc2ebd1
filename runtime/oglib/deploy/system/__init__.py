# SPDX-License-Identifier: GPL-3.0-or-later
"""From a disk to a PC's own system: partition, restore, configure."""
