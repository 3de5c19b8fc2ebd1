# SPDX-License-Identifier: GPL-3.0-or-later
"""Network files of a Linux that name another PC's card: this PC's instead, its address by DHCP.

One module a family of files, each pure: text in, text out.
"""
