# SPDX-License-Identifier: GPL-3.0-or-later
"""The ogLive runtime: what runs on the PC, from disks and images to the restored system."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("oglive")
except PackageNotFoundError:  # a bare source tree on PYTHONPATH
    __version__ = "0+source"
