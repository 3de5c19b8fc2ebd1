# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP, TFTP and HTTP by one command, or units for the site's own programs.

`command` starts and stops all of it; `http` gives out files and hands forms on to `hearing/`,
`dnsmasq` keeps the one child alive, `tree` keeps what is served as it is to be.
"""
