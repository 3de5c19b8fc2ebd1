# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image convert|diff`` and ``og image list --fits``."""

from __future__ import annotations

import argparse
from pathlib import Path

from oglib.cli.arguments import Subparsers, verb
from oglib.cli.context import Context, Result
from oglib.deploy.library.convert import converted
from oglib.deploy.library.suitable import suitable_images
from oglib.deploy.opening.opened import opened_frames
from oglib.disk.planning.layout import parse_size
from oglib.errors import UsageError
from oglib.image.format.manifest import titled
from oglib.image.proving.diff import compare_images
from oglib.views.output import table
from oglib.wording.amounts import human_bytes

_MOST_WORDS = 2  # DISK [PART]


def add_convert(verbs: Subparsers) -> None:
    made = verb(
        verbs, "convert", _convert, "make an image of ours from any image, without a disk",
        repository=True,
    )  # fmt: skip
    made.add_argument(
        "image", metavar="IMAGE", help="name, http address, path of a file, or FOLDER/PART"
    )
    made.add_argument("--to", default="", help="folder or repository address")
    made.add_argument("--name", default="", help="what to call it; default: as it is called")
    made.add_argument("--title", default="", help="one line that says what it is")
    made.add_argument("--comment", default="", help="anything worth keeping with it")
    made.add_argument(
        "--fit", metavar="SIZE", default="", help="shrink it to fit a partition of SIZE (60GiB)"
    )
    made.add_argument(
        "--scratch", metavar="FOLDER", type=Path, help="where the shrunk copy is made"
    )


def add_diff(verbs: Subparsers) -> None:
    made = verb(
        verbs, "diff", _diff, "how many bytes an update from one image to another moves",
        repository=True,
    )  # fmt: skip
    made.add_argument("old", metavar="OLD", help="the image that is on the target")
    made.add_argument("new", metavar="NEW", help="the image that replaces it")


def add_fits_option(listing: argparse.ArgumentParser) -> None:
    """Give ``og image list`` its ``--fits``; its handler then calls ``list_suitable``."""
    listing.add_argument(
        "--fits", nargs="+", metavar=("DISK", "PART"), help="which of them fit there"
    )


def _convert(context: Context) -> Result:
    args = context.args
    made = converted(
        args.image,
        destination=args.to,
        name=args.name,
        title=args.title,
        comment=args.comment,
        most_bytes=_bytes(args.fit) if args.fit else 0,
        scratch=args.scratch,
        settings=context.settings,
        progress=context.progress,
    )
    for warning in made.warnings:
        context.warn(warning)
    return Result(made.as_dict(), made.text)


def _bytes(text: str) -> int:
    size = parse_size(int(text) if text.isascii() and text.isdecimal() else text, "--fit")
    if not size.bytes:
        raise UsageError(
            f"--fit {text} is not a size in bytes.",
            hint="Write bytes, or a number with MiB, GiB or TiB.",
        )
    return size.bytes


def _diff(context: Context) -> Result:
    args, settings = context.args, context.settings
    with opened_frames(args.old, settings) as old, opened_frames(args.new, settings) as new:
        same = old.manifest.to_bytes() == new.manifest.to_bytes()
        found = compare_images(old, new, progress=context.progress)
    for warning in found.warnings:
        context.warn(warning)
    rows = [
        ("from", titled(found.old, found.old_version)),
        ("to", f"{titled(found.new, found.new_version)}{', the same image' if same else ''}"),
        ("moves", f"{human_bytes(found.moved_bytes)} of {human_bytes(found.image_size_bytes)}"),
        ("regions", f"{found.changed_frames} of {found.frames - 1} differ"),
        ("rewrites", human_bytes(found.changed_content_bytes)),
        ("comes", f"{human_bytes(found.added_used_bytes)} that only the new one uses"),
        ("goes", f"{human_bytes(found.removed_used_bytes)} that only the old one uses"),
    ]
    return Result(found.as_dict(), table(rows))


def list_suitable(context: Context) -> Result:
    """``og image list --fits DISK [PART]``: the repository's images, and where each fits."""
    words = context.args.fits
    if len(words) > _MOST_WORDS:
        raise UsageError("--fits takes a disk and, if you like, a partition.")
    found = suitable_images(
        words[0], words[1] if len(words) == _MOST_WORDS else None, context.settings
    )
    rows = [
        (one.name, one.filesystem, f"needs {human_bytes(one.required_bytes)}", one.text)
        for one in found
    ]
    return Result(list(found), table(rows) or "the repository has no image")
