# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the kernel: claims, locks, loop devices, mounts, settling, our children."""
