# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the kernel about devices: claims, locks, loop devices, udev's settling."""
