# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks there are and what is on them, read from the machine; never writes."""
