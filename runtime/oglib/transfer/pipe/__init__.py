# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes from one PC to others over TCP, for who shares a code: proven, in order, with deadlines."""
