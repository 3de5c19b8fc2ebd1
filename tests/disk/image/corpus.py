# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made by the real tools, and what the real tools restore from them."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from blake3 import blake3

from oglib.image.format.partclone import crc32
from oglib.image.reading.formats.model import StreamImage

MIB = 1 << 20


def run(*argv: str | Path, cwd: Path | None = None, accept: int = 0) -> str:
    done = subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, check=False, cwd=cwd,
        stdin=subprocess.DEVNULL, errors="replace",
    )  # fmt: skip
    assert done.returncode == accept, (argv, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def run_all(commands: list[list[str | Path]]) -> None:
    """All at once: partclone sleeps a second at its end, whatever it does."""
    started = [
        subprocess.Popen(
            [str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for argv in commands
    ]
    for argv, process in zip(commands, started, strict=True):
        said, _ = process.communicate()
        assert process.returncode == 0, (argv, said)


def sparse(path: Path, size: int) -> Path:
    path.touch()
    os.truncate(path, size)
    return path


@contextmanager
def loop(path: Path) -> Iterator[Path]:
    device = run("losetup", "--find", "--show", path).strip()
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


MAKERS: dict[str, tuple[int, list[str]]] = {
    "extfs": (16 * MIB, ["mke2fs", "-q", "-t", "ext4", "-d", "FILES"]),
    "xfs": (320 * MIB, ["mkfs.xfs", "-q"]),
    "btrfs": (128 * MIB, ["mkfs.btrfs", "-q", "--rootdir", "FILES"]),
    "fat32": (48 * MIB, ["mkfs.fat", "-F", "32"]),
    "ntfs": (33 * MIB + 512, ["mkfs.ntfs", "-F", "-Q", "-q"]),
    "exfat": (33 * MIB, ["mkfs.exfat"]),
    "f2fs": (128 * MIB, ["mkfs.f2fs", "-q"]),
}


def make(kind: str, path: Path, files: Path) -> Path:
    size, words = MAKERS[kind]
    run(*(files if word == "FILES" else word for word in words), sparse(path, size))
    return path


def put(stream: StreamImage, target: Path, size: int) -> None:
    """Write what ``stream`` hands over where it says, and nothing else, to an empty target."""
    sparse(target, size)
    numbers = []
    with target.open("r+b") as file:
        for region in stream.regions():
            numbers.append(region.number)
            content, at = b"".join(region.views), 0
            for offset, length in region.runs:
                assert offset // stream.region_bytes == region.number
                os.pwrite(file.fileno(), content[at : at + length], offset)
                at += length
            assert at == len(content)
    assert numbers == sorted(set(numbers))


def check(stream: StreamImage, theirs: Path) -> None:
    """Everything that ``stream`` hands over is in ``theirs`` where it belongs; far faster."""
    total = 0
    with theirs.open("rb") as file:
        for region in stream.regions():
            wanted = [os.pread(file.fileno(), length, offset) for offset, length in region.runs]
            assert b"".join(region.views) == b"".join(wanted), region.number
            total += sum(length for _, length in region.runs)
    assert total == stream.content_bytes


def old_partclone(image: bytes, crc_bytes: int) -> bytes:
    """The 0002 image without checksums as version 0001 would hold it."""
    device, total, _, used, size = struct.unpack_from("<QQQQI", image, 52)
    filesystem = image[36:51]
    bits = int.from_bytes(image[110 : 110 + (total + 7) // 8], "little")
    head = struct.pack(
        "<15s15s4s2xiQQQ", b"partclone-image", filesystem, b"0001", size, device, total, used
    ).ljust(4160, b"\0")
    pieces, crc = [head, bytes(bits >> at & 1 for at in range(total)), b"BiTmAgIc"], 0xFFFFFFFF
    start = 110 + (total + 7) // 8 + 4
    for block in range(used):
        content = image[start + block * size : start + (block + 1) * size]
        # By a slip of its writer only the first byte counts, and no block starts anew.
        crc = crc32(content[:1] * size, crc)
        pieces += [content, crc.to_bytes(4, "little").ljust(crc_bytes, b"\0")]
    return b"".join(pieces)


class Ranges(BaseHTTPRequestHandler):
    """What a good web server does of GET: whole files, ranges, entity tags, and 404."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        path = self.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        raw = path.read_bytes()
        tag = self.tag_of(raw)
        if self.headers.get("If-Match", tag) != tag:
            self.send_error(412)
            return
        asked = self.headers.get("Range")
        first, _, last = (asked or f"bytes=0-{len(raw) - 1}").removeprefix("bytes=").partition("-")
        piece = raw[int(first) : int(last) + 1]
        if asked and not piece:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(raw)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if asked else 200)
        if asked:
            end = int(first) + len(piece) - 1
            self.send_header("Content-Range", f"bytes {first}-{end}/{len(raw)}")
        self.send_header("Content-Length", str(len(piece)))
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        self.send_piece(piece)

    def tag_of(self, raw: bytes, /) -> str:
        """The file's entity tag; none where it is empty."""
        # No CRC: that of partclone's images does not depend on their content, which has its own.
        return f'"{blake3(raw).hexdigest()[:16]}"'

    def send_piece(self, piece: bytes) -> None:
        self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def web_server(folder: Path, kind: type[BaseHTTPRequestHandler] = Ranges) -> Iterator[str]:
    """Serves ``folder`` as ``kind`` does; gives its address."""
    handler = type("Handler", (kind,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
