# SPDX-License-Identifier: GPL-3.0-or-later
"""One partition: what is refused before the first write, capture, restore, verify."""
