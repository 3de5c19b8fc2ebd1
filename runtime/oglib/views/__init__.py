# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks, images and work as a person reads them; prints nothing by itself, knows no verb."""
