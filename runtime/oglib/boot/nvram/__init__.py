# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot entries that UEFI firmware keeps: read, planned as values, written and read back."""
