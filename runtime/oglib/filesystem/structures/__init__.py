# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem's own structures: how it was left, how long it is, what is used; never writes."""
