# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that send a partition from one PC to others."""
