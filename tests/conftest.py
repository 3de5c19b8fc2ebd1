# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pytest looks for what ``running`` holds."""

from running import *  # noqa: F403
