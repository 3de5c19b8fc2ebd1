# SPDX-License-Identifier: GPL-3.0-or-later
"""From a source to an image: capture, frames, digests, the sinks that they go to."""
