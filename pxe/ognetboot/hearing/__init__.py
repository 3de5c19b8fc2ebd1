# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs tell and ask: reports, registrations, passwords; or what a server's log tells of them.

`forms` decides what is answered (`answers`: the scripts); who speaks is only ever claimed
(`identity`, `known`). It lies in files beside the inventory, written whole or not at all
(`documents`): `waiting`, `seen`, `passwords`. Nothing here knows HTTP.
"""
