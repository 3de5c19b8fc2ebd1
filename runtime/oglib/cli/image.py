# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image restore|verify|list|info``; the other verbs come from their own modules."""

from __future__ import annotations

from oglib.cli import image_convert, image_disk
from oglib.cli.arguments import Subparsers, add_disk, add_method, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.cli.doing import do
from oglib.cli.image_create import add_create
from oglib.cli.pipe.verbs import add_pipe
from oglib.deploy.jobs import Restore
from oglib.deploy.opening.opened import described
from oglib.deploy.partition import restore as images
from oglib.deploy.whole_disk.receipt import DiskReceipt
from oglib.errors import OgErr
from oglib.image.reading.formats.model import OwnInfo
from oglib.image.writing.receipt import Receipt
from oglib.transfer.repository import RepositoryClient
from oglib.views.images import manifest_rows
from oglib.views.output import table
from oglib.wording.amounts import human_bytes

_IMAGE_HELP = (
    "name in the repository (NAME@VERSION), CACHE:NAME, address, path of a file, or FOLDER/PART"
)


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "image", "capture, restore and check images")
    add_create(verbs)
    restore = verb(
        verbs, "restore", _restore, "put an image onto a partition", destroys=True, repository=True
    )
    restore.add_argument("image", metavar="IMAGE", help=_IMAGE_HELP)
    add_disk(restore)
    add_partition(restore, optional=True)
    restore.add_argument("--delta", action="store_true", help="leave what is equal alone")
    restore.add_argument(
        "--no-read-back", action="store_true", help="do not prove it; the receipt says so"
    )
    add_method(restore)
    image_disk.add_restore_options(restore)
    restore.add_argument("--grow", action="store_true", help="let it fill the partition")
    restore.add_argument(
        "--set-type", action="store_true", help="correct the partition's type to what it holds"
    )
    restore.add_argument(
        "--other-firmware", action="store_true", help="even if made for BIOS and this is UEFI"
    )
    check = verb(
        verbs,
        "verify",
        _verify,
        "check an image, or a partition or disk against it",
        repository=True,
    )
    check.add_argument("image", metavar="IMAGE", help=_IMAGE_HELP)
    check.add_argument("disk", metavar="DISK", nargs="?", help="compare with this disk or file")
    add_partition(check, optional=True)
    add_pipe(verbs, receipt_text)
    image_convert.add_convert(verbs)
    image_convert.add_diff(verbs)
    shown = verb(verbs, "list", _list, "the images of the repository", repository=True)
    shown.add_argument("--versions", action="store_true", help="with all versions that are kept")
    image_convert.add_fits_option(shown)
    info = verb(verbs, "info", _info, "what an image is", repository=True)
    info.add_argument("image", metavar="IMAGE", help=_IMAGE_HELP)


def _restore(context: Context) -> Result:
    args = context.args
    job = Restore(
        image=args.image,
        disk=args.disk,
        part=None if args.parts is not None else args.part,
        parts=image_disk.numbers(args.parts),
        read_back=not args.no_read_back,
        delta=args.delta,
        grow=args.grow,
        set_type=args.set_type,
        keep_size=args.keep_size,
        other_firmware=args.other_firmware,
        method=args.method,
        fallback=not args.no_fallback,
    )
    doing = do(context, job)
    if doing.finished is None:
        changes = list(doing.planned.told)
        return Result({"changes": changes}, "\n".join(changes))
    done = doing.finished.done
    if isinstance(done, DiskReceipt):
        return Result(done.as_dict(), image_disk.disk_receipt_text(context, done))
    assert isinstance(done, Receipt)  # noqa: S101 - for the type checker
    data = {**done.as_dict(), "way": list(doing.planned.way)}
    return Result(data, receipt_text(context, done))


def receipt_text(context: Context, receipt: Receipt) -> str:
    """A receipt for a person; its warnings go to standard error."""
    for warning in receipt.warnings:
        context.warn(warning)
    already = f", {human_bytes(receipt.skipped_bytes)} were there" if receipt.skipped_bytes else ""
    version = f" version {receipt.version}" if receipt.version else ""
    after = "".join(f", {done}" for done in receipt.after)
    each = ", ".join(f"{human_bytes(count)} from {where}" for where, count in receipt.came_from)
    fetched = (
        each if len(receipt.came_from) > 1 else f"{human_bytes(receipt.fetched_bytes)} fetched"
    )
    return (
        f"{receipt.image}{version} is on {receipt.target}: "
        f"{human_bytes(receipt.written_bytes)} written{already}, "
        f"{fetched}, "
        f"{receipt.seconds:.1f} s, {receipt.verified}{after}"
    )


def _verify(context: Context) -> Result:
    args = context.args
    if args.part is None and image_disk.is_whole(context):
        return image_disk.verify_whole(context)
    proof = images.prove(
        args.image, args.disk, args.part, settings=context.settings, progress=context.progress
    )
    for warning in proof.warnings:
        context.warn(warning)
    version = f" version {proof.version}" if proof.version else ""
    proven = f"{human_bytes(proof.content_bytes)} proven against {proof.against}"
    return Result(proof.as_dict(), f"{proof.image}{version}: {proven}")


def _list(context: Context) -> Result:
    if context.args.fits:
        return image_convert.list_suitable(context)
    with RepositoryClient(
        context.settings.repository_url(), connection=context.settings.connection
    ) as repository:
        listed = repository.listing()
    rows = [
        (
            one.name,
            f"v{one.version}",
            *([", ".join(f"@{kept}" for kept in one.versions)] if context.args.versions else []),
            human_bytes(one.size_bytes),
            one.filesystem,
            one.os,
            one.title,
        )
        for one in listed
    ]
    return Result(list(listed), table(rows) or "the repository has no image")


def _info(context: Context) -> Result:
    """What is damaged or of no known kind gets the same answer, and the exit code of an error."""
    if image_disk.is_whole(context):
        return image_disk.info_whole(context)
    info = described(context.args.image, context.settings)
    for damage in [info.damage] if info.damage else []:
        context.warn(damage)
    blocks = f"{info.used_blocks} of {info.total_blocks} of {info.block_size} B"
    needs = f"{info.required_bytes} bytes ({human_bytes(info.required_bytes)})"
    rows = [
        ("kind", f"{info.tool}, {info.compressor}" if info.tool else "unknown"),
        ("filesystem", info.filesystem),
        ("blocks", blocks if info.total_blocks else ""),
        ("needs", needs if info.required_bytes else ""),
        ("checksum", info.checksum if info.tool else ""),
        ("volumes", str(info.volumes or "")),
        ("frames", str(info.frames or "")),
        ("signed", "yes" if info.signed else "no"),
        ("damage", info.damage or "none seen"),
    ]
    if isinstance(info, OwnInfo):
        rows = manifest_rows(info) + [row for row in rows if row[0] != "signed"]
    rows = [row for row in rows if row[1]]  # what is not known is not said
    return Result(info.as_dict(), table(rows), OgErr.IMAGE if info.damage else 0)
