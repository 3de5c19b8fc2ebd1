# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's menu as a person sees it: read by its structure, changed, judged, kept for update-grub."""
