# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness under the scenarios: virtual PCs, one LAN, one repository, and every wait."""
