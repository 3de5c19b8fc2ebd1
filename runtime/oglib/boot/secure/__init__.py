# SPDX-License-Identifier: GPL-3.0-or-later
"""Secure Boot: what a loader says of itself, what the firmware accepts, and both compared."""
