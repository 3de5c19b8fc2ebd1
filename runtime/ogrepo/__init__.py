# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository server: keeps images in a folder and serves them over HTTP.

A folder is the whole state; there is no database. An image is seen under its name only when it
is complete, verified and signed here.
"""
