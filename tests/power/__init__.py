# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts, replayed: block writes are recorded once, then many disks are made as a cut leaves
them, and the real recovery runs on each (design D8)."""
