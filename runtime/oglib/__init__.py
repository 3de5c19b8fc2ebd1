# SPDX-License-Identifier: GPL-3.0-or-later
"""The ogLive runtime: what runs on the PC, from disks and images to the restored system."""
