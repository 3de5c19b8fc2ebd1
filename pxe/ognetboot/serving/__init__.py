# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that hears: HTTP, DHCP and TFTP by one command, and what PCs tell of themselves.

`command` starts and stops all of it; `http` answers, `forms` decides what is answered, `dnsmasq`
keeps the one child alive. What PCs tell (`waiting`, `seen`) and what must be known to open a locked
entry (`passwords`) lies in files beside the inventory, written whole or not at all (`documents`).
"""
