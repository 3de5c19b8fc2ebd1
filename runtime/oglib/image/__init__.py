# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files: capture, open, restore, verify. The public names of the format are these.

Owns everything between stored bytes and used blocks. Knows no network (sources and sinks come
from the caller), prints nothing and decides nothing about partitions.
"""

from oglib.image.capture import CaptureMeta, capture
from oglib.image.format import OpenImage, Policy, Vouched, open_image, vouch
from oglib.image.frames import Frame, FrameTable
from oglib.image.local import create_local, local_image
from oglib.image.manifest import Manifest, SourceInfo, check_name
from oglib.image.receipt import Receipt
from oglib.image.restore import restore
from oglib.image.signing import (
    PrivateKey,
    PublicKey,
    generate_keypair,
    load_public_keys,
    sign,
    verify_signature,
)
from oglib.image.sink import FileSink, ImageSink
from oglib.image.source import FileSource, FrameSource
from oglib.image.verify import Verified, verify

__all__ = [
    "CaptureMeta",
    "FileSink",
    "FileSource",
    "Frame",
    "FrameSource",
    "FrameTable",
    "ImageSink",
    "Manifest",
    "OpenImage",
    "Policy",
    "PrivateKey",
    "PublicKey",
    "Receipt",
    "SourceInfo",
    "Verified",
    "Vouched",
    "capture",
    "check_name",
    "create_local",
    "generate_keypair",
    "load_public_keys",
    "local_image",
    "open_image",
    "restore",
    "sign",
    "verify",
    "verify_signature",
    "vouch",
]
