# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image create|restore|verify|info`` where the image is that of a whole disk.

No verbs of its own: the image verbs come here when no partition is named.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from oglib.cli.context import Context, Result
from oglib.deploy.whole_disk import image as disk_source
from oglib.deploy.whole_disk import verify as disk_verify
from oglib.deploy.whole_disk.capture import CreatedDisk
from oglib.deploy.whole_disk.receipt import DiskReceipt
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.errors import OgErr, UsageError, printable
from oglib.image.format.manifest import titled
from oglib.image.proving.verify import verify
from oglib.image.reading.formats.model import OwnInfo
from oglib.views.images import manifest_rows
from oglib.views.output import table
from oglib.wording import columns
from oglib.wording.amounts import human_bytes


def add_restore_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parts",
        metavar="1,3",
        help="of a whole disk's image only these, onto the partitions with the same numbers",
    )
    parser.add_argument(
        "--keep-size",
        action="store_true",
        help="of a whole disk's image: do not fill a larger disk",
    )


def is_whole(context: Context) -> bool:
    """Whether the image named on the command line is that of a whole disk."""
    return disk_source.is_whole(context.args.image, context.settings)


def captured(context: Context, made: CreatedDisk) -> Result:
    """A finished capture for a person."""
    for warning in made.warnings:
        context.warn(warning)
    version = f" version {made.version}" if made.version else ""
    text = (
        f"{made.name}{version}: {human_bytes(made.used_bytes)} of {made.partitions} partitions in "
        f"{human_bytes(made.image_size_bytes)}, {made.where}"
    )
    return Result(asdict(made), text)


def verify_whole(context: Context) -> Result:
    """``og image verify IMAGE [DISK]``: every partition's image against its digests or a disk."""
    if context.args.disk is not None:
        return _compare_whole(context)
    with disk_source.opened_whole(context.args.image, context.settings) as whole:
        whole.refuse_lacking()
        proofs = []
        for part in whole.imaged.parts:
            if part.is_image:
                with whole.open_part(part.number) as image:
                    proofs.append(verify(image, progress=context.progress))
        for warning in (*whole.warnings, *_not_looked_at(whole)):
            context.warn(warning)
    content = sum(proof.content_bytes for proof in proofs)
    data = {"image": whole.name, "version": whole.version, "signed_by": whole.signed_by}
    return Result(
        {**data, "parts": [proof.as_dict() for proof in proofs]},
        f"{titled(whole.name, whole.version)}: {human_bytes(content)} of {len(proofs)} "
        "partitions proven against digests",
    )


def _not_looked_at(whole: WholeDisk) -> list[str]:
    return [
        f"The disk {other} of the same folder was not looked at: {whole.beside(other)} is an image "
        "of its own."
        for other in whole.others
    ]


def _compare_whole(context: Context) -> Result:
    """Every difference is listed; the last line says whether there is one."""
    args = context.args
    proof = disk_verify.verify_disk(
        args.image, args.disk, settings=context.settings, progress=context.progress
    )
    for warning in proof.warnings:
        context.warn(warning)
    rows = [
        "\n".join(
            columns.broken(
                f"{row.what:<14}{row.outcome:<14}{printable(row.said)}",
                columns.USUAL,
                indent=" " * 28,
            )
        )
        for row in proof.rows
    ]
    name = titled(proof.image, proof.version)
    first = proof.first_difference
    verdict = (
        f"{proof.against} holds {name}: {human_bytes(proof.content_bytes)} compared"
        if first is None
        else f"{proof.against} is not what {name} says: the first difference is in the {first.what}"
    )
    status = OgErr.DONTSYNC_IMAGE if first else 0
    return Result(proof.as_dict(), "\n".join([*rows, verdict]), status)


def info_whole(context: Context) -> Result:
    """``og image info IMAGE``."""
    info = disk_source.whole_info(context.args.image, context.settings)
    if info.damage:
        return Result(info.as_dict(), f"damaged: {info.damage}", status=5)
    if disk_source.is_raw_disk(context.args.image, context.settings):
        return Result(info.as_dict(), f"a raw disk of {info.required_bytes} bytes")
    with disk_source.opened_whole(context.args.image, context.settings) as whole:
        rows = [
            (
                str(part.number),
                str(part.content),
                part.filesystem or "-",
                human_bytes(part.size_bytes),
                part.label or part.name or "-",
            )
            for part in whole.imaged.parts
        ]
        for warning in whole.warnings:
            context.warn(warning)
    able = whole.able_to_start
    least = "" if whole.imaged.size_known else "at least "
    size = f"{least}{whole.imaged.size_bytes} bytes ({human_bytes(whole.imaged.size_bytes)})"
    shown = [
        ("kind", f"a whole disk, {whole.tool}" if whole.tool != "disk" else "a whole disk"),
        *(manifest_rows(info) if isinstance(info, OwnInfo) else [("image", whole.name)]),
        ("disk", f"{size}, {whole.imaged.table} table, {whole.imaged.sector_bytes} B sectors"),
        ("starts by", " and ".join(sorted(one.upper() for one in able)) or "nothing"),
        ("other disks", ", ".join(whole.beside(other) for other in whole.others)),
    ]
    head = table([row for row in shown if row[1]])
    return Result(info.as_dict(), f"{head}\n{table(rows, indent='  ')}")


def numbers(text: str | None) -> tuple[int, ...]:
    """The partitions that are named; nothing only where none were asked for.

    An empty word is a script's empty variable, and must not become the whole disk.
    """
    if text is None:
        return ()
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise UsageError(
            f"--parts {text!r} is no list of partitions.", hint="Write it as in --parts 1,3."
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def disk_receipt_text(context: Context, receipt: DiskReceipt) -> str:
    """A receipt for a person; its warnings go to standard error."""
    for warning in receipt.warnings:
        context.warn(warning)
    lines = [
        f"{part.image} is on {part.target}: {human_bytes(part.written_bytes)} written, "
        f"{part.verified}"
        for part in receipt.parts
    ]
    return "\n".join(
        [
            *receipt.changes,
            *lines,
            *receipt.after,
            f"{titled(receipt.image, receipt.version)} is on {receipt.target}: "
            f"{human_bytes(receipt.written_bytes)} written, "
            f"{human_bytes(receipt.fetched_bytes)} fetched, {receipt.seconds:.1f} s, "
            f"{receipt.verified}",
        ]
    )
