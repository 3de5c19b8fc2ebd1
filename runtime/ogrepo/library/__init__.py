# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository on disk: its folder, images, disks, and the key that signs them. No HTTP here."""
