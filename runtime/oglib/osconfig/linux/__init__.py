# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux fitted to a PC: one module for what belongs together, ``fittings`` has them in order."""
