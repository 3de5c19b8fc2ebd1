# SPDX-License-Identifier: GPL-3.0-or-later
"""A system on other hardware: what its initramfs carries, what this PC needs, how it is rebuilt."""
