# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that go, come back, or get another name: by links alone, and never half of one."""
