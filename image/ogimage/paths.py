# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on the build machine. Owns names of folders, creates none."""

import os
from pathlib import Path

IMAGE_DIR = Path(__file__).resolve().parents[1]
PROJECT_DIR = IMAGE_DIR.parent
BUILD_DIR = PROJECT_DIR / "build"
LOG_DIR = BUILD_DIR / "log"
TOOLS_DIR = PROJECT_DIR / ".tools"
MKOSI_DIR = TOOLS_DIR / "mkosi"
SANDBOX_TREE = TOOLS_DIR / "sandbox"

# Outside the tree, so that a fresh clone finds packages and the tools tree again.
CACHE_DIR = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oglive"
