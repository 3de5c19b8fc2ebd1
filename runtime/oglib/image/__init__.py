# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: everything between stored bytes and used blocks.

``any`` asks ours and foreign ones the same questions. Knows no network (sources and sinks come
from the caller), prints nothing and decides nothing about partitions.
"""
