# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of an image of ours, made of what older images hold and of what is fetched."""
