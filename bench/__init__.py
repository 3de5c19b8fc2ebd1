# SPDX-License-Identifier: GPL-3.0-or-later
"""Our restore and capture beside the peers' own pipelines, on the same data in the same run.

No part of the product and imported by nothing: ``python -m bench`` is its only door.
"""
