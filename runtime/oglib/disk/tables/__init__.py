# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of partition tables: read, judged for damage, laid out and put back."""
