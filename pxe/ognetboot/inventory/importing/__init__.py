# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories of others, read as data: a CSV file, ogServer's REST, an export of OpenGnsys."""
