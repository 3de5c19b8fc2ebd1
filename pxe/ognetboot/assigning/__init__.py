# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs are given to start for a while: this once, so many times, until a time, or for an exam.

`model.py` holds the values, `offers.py` decides from them what a PC is offered (pure, and the only
place that does), `store.py` keeps them beside the inventory. What a PC starts for good is no
business of this room: it stands in the inventory.
"""
