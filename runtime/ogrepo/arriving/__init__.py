# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that come as files: imported into the repository, or adopted where they lie."""
