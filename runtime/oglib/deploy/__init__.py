# SPDX-License-Identifier: GPL-3.0-or-later
"""The use cases: what a person or a job asks for, each a short walk through the other rooms."""
