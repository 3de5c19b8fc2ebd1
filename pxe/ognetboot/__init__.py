# SPDX-License-Identifier: GPL-3.0-or-later
"""ognetboot renders what a PC boots from the network.

One inventory (TOML) becomes iPXE scripts, GRUB menus and a dnsmasq configuration. The package knows
nothing of the runtime that is booted (no import of oglib or ogrepo): the kernel command line is the
whole interface between them.
"""
