# SPDX-License-Identifier: GPL-3.0-or-later
"""An operating system on a mounted root: recognise it and fit it to this PC."""
