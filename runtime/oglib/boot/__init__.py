# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot loaders: GRUB for BIOS and UEFI, installed with ogLive's own tools."""
