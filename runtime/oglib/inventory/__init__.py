# SPDX-License-Identifier: GPL-3.0-or-later
"""What this PC consists of and what is installed on it; reads only."""
