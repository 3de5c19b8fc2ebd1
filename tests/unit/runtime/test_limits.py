# SPDX-License-Identifier: GPL-3.0-or-later
"""A bound that several rooms hold to has one number: what one writes, the others read."""

from __future__ import annotations

import ast
import re

from oglib import limits
from unit.sources import trees

OURS = re.compile(r"_?(MOST_|MAX_)?(MANIFEST|FRAMES|LAYOUT|GAPS|SIGNATURE|DISK)_BYTES|_MAX_NAME")
# The same word for something else.
OTHERS = {
    "oglib/image/format/signing.py: _SIGNATURE_BYTES": "of Ed25519 itself, not of the file",
    "oglib/deploy/whole_disk/foreign_folder.py: _MOST_DISK_BYTES": "of a disk in a folder image",
}


def test_nobody_has_a_number_of_its_own() -> None:
    found = set()
    for name, tree in trees(saying=OURS.pattern):
        for node in tree.body:
            if name != "oglib/limits.py" and isinstance(node, ast.Assign):
                found |= {
                    f"{name}: {one.id}"
                    for one in node.targets
                    if isinstance(one, ast.Name) and OURS.fullmatch(one.id)
                }
    assert found == set(OTHERS)


def test_what_a_capture_may_say_fits_into_a_manifest() -> None:
    from oglib.deploy.partition.subject import _SOFTWARE_BYTES

    assert 2 * _SOFTWARE_BYTES < limits.MANIFEST_BYTES
