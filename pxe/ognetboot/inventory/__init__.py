# SPDX-License-Identifier: GPL-3.0-or-later
"""Which PCs there are and what each may start: the file, its meaning, and what is wrong in it."""
