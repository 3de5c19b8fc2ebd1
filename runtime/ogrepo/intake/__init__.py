# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs bring in: who may, what it may take, and the steps from bytes to a published image."""
