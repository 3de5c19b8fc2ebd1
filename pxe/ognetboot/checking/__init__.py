# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is wrong with an inventory or strange in it: found at once, each with its line."""
