# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's state in one file, and a server from that file; images' bytes come from elsewhere."""
