# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own files for every PC, packed into the initrd that ogLive lays over its root."""
