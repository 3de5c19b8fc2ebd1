# SPDX-License-Identifier: GPL-3.0-or-later
"""The CACHE partition: where it is, and the store of complete, verified images in it."""
