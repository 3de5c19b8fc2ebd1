# SPDX-License-Identifier: GPL-3.0-or-later
"""The CACHE partition: find it, make it, and the store of images on it.

``partition`` owns the partition and its mount; everything else is the store, which works on any
mounted folder. Knows no image format: what proves an image comes from the caller.
"""
