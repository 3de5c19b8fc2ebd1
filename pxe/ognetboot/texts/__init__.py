# SPDX-License-Identifier: GPL-3.0-or-later
"""What loaders and DHCP servers read: written from the inventory, and put where it is served."""
