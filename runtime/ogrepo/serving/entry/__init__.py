# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in: the socket, TLS, who is let in within which limits, and what others are told."""
