# SPDX-License-Identifier: GPL-3.0-or-later
"""How a person is told: amounts, columns, names of devices, what was meant, what is waited for."""
