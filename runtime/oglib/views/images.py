# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as a person reads them."""

from __future__ import annotations

from oglib.image.reading.formats.model import OwnInfo


def manifest_rows(info: OwnInfo) -> list[tuple[str, str]]:
    """What the one who captured it said of it; a comment has as many rows as lines."""
    comment = [("", line) for line in info.comment.splitlines() if line.strip()]
    if comment:
        comment[0] = ("comment", comment[0][1])
    where = f" on {info.hostname}" if info.hostname else ""
    return [
        ("image", f"{info.name} version {info.version}" if info.version else info.name),
        ("title", info.title),
        ("system", info.os),
        *comment,
        ("captured", f"{info.created}{where}"),
        ("signed by", f"key {info.signed_by}" if info.signed else "nobody this PC knows"),
    ]
