# SPDX-License-Identifier: GPL-3.0-or-later
"""Build scripts of ogLive and of the golden Debian; they run on the build machine only."""
