# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the kernel: claims, locks, loop devices, udev's settling, our children."""
