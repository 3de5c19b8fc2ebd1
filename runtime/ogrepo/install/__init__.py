# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo install``: from a built ogLive to a machine that boots PCs, and ``ogrepo check``.

``probe`` reads this machine, ``plan`` (pure) says which steps are missing, ``apply`` does them;
``units`` and ``texts`` are what is written. Twice is as good as once, and what an administrator
has edited is kept.
"""
