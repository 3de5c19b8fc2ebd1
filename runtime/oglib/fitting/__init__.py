# SPDX-License-Identifier: GPL-3.0-or-later
"""What fits a system to a PC, as values: file contents, checks, steps and their results."""
