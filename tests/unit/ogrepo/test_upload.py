# SPDX-License-Identifier: GPL-3.0-or-later
"""An image's way into the repository, and everything that must stop it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import socket
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from oglib import limits
from oglib.connection import Connection
from oglib.errors import OgErr, TransferError
from oglib.image.format.frames import FrameTable
from oglib.image.format.manifest import Manifest, load_public_keys
from oglib.image.recording.device_capture import CaptureMeta, manifest_of
from oglib.image.recording.recorder import record
from oglib.progress import Progress, Silent
from oglib.transfer.answers import StatusError
from oglib.transfer.repository import RepositoryClient
from oglib.transfer.upload import HttpUploadSink, PublishedImage
from ogrepo.library.store import find, published
from ogrepo.library.verify import verify_published
from unit.image.synthetic import partition
from unit.image.test_diff import changed
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import Sample, make_sample

SAMPLE = make_sample("debian")
Serve = Callable[..., contextlib.AbstractContextManager[Repository]]


def listed(repository: Repository) -> dict[str, int]:
    with RepositoryClient(repository.base) as client:
        return {image.name: image.version for image in client.listing()}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_an_upload_is_verified_numbered_signed_and_shown(
    repository: Repository, tmp_path: Path
) -> None:
    assert repository.upload(SAMPLE, tmp_path) == PublishedImage("debian", 1)
    folder = repository.folder
    keys = load_public_keys(folder.keys)
    image = find(folder, "debian", keys)
    assert image.key_id == keys[0].key_id == image.manifest.key_id
    assert image.manifest == replace(SAMPLE.manifest, version=1, key_id=image.key_id)
    assert image.image.read_bytes() == SAMPLE.image
    assert verify_published(image, keys, Progress(Silent())).signed_by == image.key_id
    assert listed(repository) == {"debian": 1}
    with RepositoryClient(repository.base) as client:
        assert client.fetch_manifest("debian") == image.manifest_bytes
        with client.open_image("debian", expected_size=len(SAMPLE.image)) as source:
            assert source.read(0, source.size_bytes) == SAMPLE.image


def test_the_older_files_are_written(repository: Repository, tmp_path: Path) -> None:
    repository.upload(SAMPLE, tmp_path)
    images = repository.folder.images
    last = hashlib.md5(SAMPLE.image[-(1 << 20) :], usedforsecurity=False).hexdigest()
    whole = hashlib.md5(SAMPLE.image, usedforsecurity=False).hexdigest()
    assert (images / "debian.img.sum").read_text() == f"{last}\n"
    assert (images / "debian.img.full.sum").read_text() == f"{whole}\n"
    assert (images / "debian.img.info").read_text() == "PARTCLONE:ZSTD:EXTFS:3072:pc-1\n"


def test_a_second_version_keeps_the_first_aside(repository: Repository, tmp_path: Path) -> None:
    repository.upload(SAMPLE, tmp_path)
    images = repository.folder.images
    (images / "debian.img.torrent").write_text("of version 1")
    first = {path.name: path.read_bytes() for path in images.iterdir()}
    newer = make_sample("debian", seed=2)
    assert repository.upload(newer, tmp_path).version == 2
    for name, content in first.items():
        assert (images / f"{name}.ant").read_bytes() == content
    assert (images / "debian.img").read_bytes() == newer.image
    assert not (images / "debian.img.torrent").exists()
    assert repository.upload(SAMPLE, tmp_path).version == 3
    assert not (images / "debian.img.torrent.ant").exists()
    assert listed(repository) == {"debian": 3}


def test_the_next_version_is_cut_where_it_differs_from_the_one_shown(
    repository: Repository, tmp_path: Path
) -> None:
    first = partition(3, mib=6)
    for number, source in enumerate((first, changed(first, 1, edit=1)), 1):
        sink = HttpUploadSink(repository.base, "debian", repository.token("debian"))
        with Progress(Silent()).phase("capture") as phase:
            recorded = record(io.BytesIO(source.stream()), sink, tmp_path, phase=phase)
        manifest = manifest_of(recorded, CaptureMeta(name="debian"), 512)
        sink.finish(recorded.frames_path, manifest.to_bytes())
        assert sink.published == PublishedImage("debian", number)
        table = FrameTable(repository.folder.images / "debian.img.frames")
        starts = [frame.first_block % 256 for frame in table]
        table.close()
        assert any(starts) == (number == 2)


def test_versions_go_on_after_an_image_was_removed(repository: Repository, tmp_path: Path) -> None:
    repository.upload(SAMPLE, tmp_path)
    for path in repository.folder.images.iterdir():
        path.unlink()
    assert listed(repository) == {}
    assert repository.upload(SAMPLE, tmp_path).version == 2


def test_images_may_be_in_folders(repository: Repository, tmp_path: Path) -> None:
    repository.upload(make_sample("lab-1/debian"), tmp_path)
    assert listed(repository) == {"lab-1/debian": 1}
    assert repository.ask("GET", "/images/lab-1/debian.img").status == 200


def flipped(sample: Sample, at: int) -> Sample:
    image = bytearray(sample.image)
    image[at] ^= 1
    return replace(sample, image=bytes(image))


def honest(sample: Sample) -> Sample:
    """The same, with a manifest that fits its damaged files."""
    manifest = replace(
        sample.manifest,
        image_blake3=blake3(sample.image).hexdigest(),
        image_size_bytes=len(sample.image),
        frames_blake3=blake3(sample.frames).hexdigest(),
    )
    return replace(sample, manifest=manifest)


def frames_flipped(sample: Sample, at: int) -> Sample:
    frames = bytearray(sample.frames)
    frames[at] ^= 1
    return replace(sample, frames=bytes(frames))


def claiming(sample: Sample, **claims: object) -> Sample:
    return replace(sample, manifest=replace(sample.manifest, **claims))  # type: ignore[arg-type]


_END = len(SAMPLE.image)


@pytest.mark.parametrize(
    "bad",
    [
        *(flipped(SAMPLE, at) for at in (3, 60, 500, _END // 2, _END - 40, _END - 1)),
        *(honest(flipped(SAMPLE, at)) for at in (3, 60, 500, _END // 2, _END - 40, _END - 1)),
        replace(SAMPLE, image=SAMPLE.image[:-1]),
        replace(SAMPLE, image=SAMPLE.image + b"\0"),
        honest(replace(SAMPLE, image=SAMPLE.image[:-1])),
        honest(replace(SAMPLE, image=SAMPLE.image + b"\0")),
        honest(replace(SAMPLE, image=SAMPLE.image[: _END // 2])),
        replace(SAMPLE, image=b"<html>sign in</html>"),
        replace(SAMPLE, frames=SAMPLE.frames[:-1]),
        *(frames_flipped(SAMPLE, at) for at in (0, 33, 200, -1)),
        *(honest(frames_flipped(SAMPLE, at)) for at in (0, 17, 33, 45, 64, 200, -1)),
        honest(replace(SAMPLE, frames=SAMPLE.frames[:-88])),
        claiming(SAMPLE, image_blake3="0" * 64),
        claiming(SAMPLE, frames_blake3="0" * 64),
        claiming(SAMPLE, device_size_bytes=SAMPLE.manifest.device_size_bytes * 2),
        claiming(SAMPLE, used_blocks=SAMPLE.manifest.used_blocks - 1),
        claiming(SAMPLE, frame_count=2),
        claiming(SAMPLE, filesystem="NTFS"),
        claiming(SAMPLE, name="other"),
        claiming(SAMPLE, created="yesterday"),
        claiming(SAMPLE, title="\x1b[2J"),
    ],
)
def test_what_is_not_sound_is_never_shown(
    repository: Repository, tmp_path: Path, bad: Sample
) -> None:
    sink = HttpUploadSink(repository.base, "debian", repository.token("debian"))
    sink.write(bad.image)
    with pytest.raises(StatusError) as caught:
        sink.finish(bad.write_frames(tmp_path), bad.manifest.to_bytes())
    assert caught.value.status == 422
    assert caught.value.code in (OgErr.IMAGE, OgErr.IMAGEFILE)
    sink.abort()
    assert listed(repository) == {}
    assert list(repository.folder.images.iterdir()) == []
    assert list(repository.folder.uploads.iterdir()) == []


def test_a_damaged_upload_leaves_the_present_version_alone(
    repository: Repository, tmp_path: Path
) -> None:
    repository.upload(SAMPLE, tmp_path)
    token = repository.token("debian")
    sink = HttpUploadSink(repository.base, "debian", token)
    sink.write(flipped(SAMPLE, 700).image)
    with pytest.raises(TransferError, match="refused: Frame 1 of the image debian is damaged"):
        sink.finish(SAMPLE.write_frames(tmp_path), SAMPLE.manifest.to_bytes())
    assert listed(repository) == {"debian": 1}
    # What was damaged on its way may come again: the token is spent by a publication only.
    again = HttpUploadSink(repository.base, "debian", token)
    again.write(SAMPLE.image)
    again.finish(SAMPLE.write_frames(tmp_path), SAMPLE.manifest.to_bytes())
    assert again.published == PublishedImage("debian", 2)


def test_a_token_is_for_one_image_once_and_soon(repository: Repository, tmp_path: Path) -> None:
    token = repository.token("debian")
    with pytest.raises(StatusError, match="is for the image debian") as caught:
        HttpUploadSink(repository.base, "windows", token)
    assert caught.value.status == 403
    sink = HttpUploadSink(repository.base, "debian", token)
    sink.write(SAMPLE.image)
    sink.finish(SAMPLE.write_frames(tmp_path), SAMPLE.manifest.to_bytes())
    with pytest.raises(StatusError, match="was used already"):
        HttpUploadSink(repository.base, "debian", token)
    with pytest.raises(StatusError, match="has expired"):
        HttpUploadSink(repository.base, "debian", repository.token("debian", lifetime_s=-1))
    forged = repository.token("debian")[:-1] + "x"
    for bad in (forged, repository.token("debian").replace("debian", "fedora", 1), "x" * 40):
        with pytest.raises(StatusError) as caught:
            HttpUploadSink(repository.base, "debian", bad)
        assert caught.value.status == 401


def test_nothing_of_the_upload_api_works_without_its_token(repository: Repository) -> None:
    sink = HttpUploadSink(repository.base, "debian", repository.token("debian"))
    path = sink.describe().removeprefix(repository.base)
    other = bearer(repository.token("debian"))
    for method, tail in (("GET", ""), ("DELETE", ""), ("PUT", "/image"), ("POST", "/commit")):
        assert repository.ask(method, path + tail, b"").status == 401
        assert repository.ask(method, path + tail, b"", authorization="Basic eDp5").status == 401
        assert repository.ask(method, path + tail, b"", headers=other).status == 404
    assert repository.ask("POST", "/api/uploads", b"{}").status == 401
    assert "bearer" in repository.ask("POST", "/api/uploads").headers["www-authenticate"].lower()
    sink.abort()


def test_the_token_is_in_no_message_and_no_log(repository: Repository, tmp_path: Path) -> None:
    token = repository.token("debian")
    sink = HttpUploadSink(repository.base, "debian", token)
    sink.write(SAMPLE.image)
    sink.finish(SAMPLE.write_frames(tmp_path), SAMPLE.manifest.to_bytes())
    with pytest.raises(TransferError) as caught:
        HttpUploadSink(repository.base, "debian", token)
    secret = token.rpartition("~")[2]
    assert secret not in str(caught.value)
    assert len(repository.log) >= 5
    assert not [line for line in repository.log if secret in line]
    kept = [path for path in repository.folder.root.rglob("*") if path.is_file()]
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


def test_a_plain_client_streams_and_waits(repository: Repository) -> None:
    """What curl does: no Content-Range, one chunked stream, a commit that blocks."""
    told = bearer(repository.token("debian"))
    opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told)
    assert opened.status == 201
    path = f"/api/uploads/{opened.json()['upload']}"
    with socket.create_connection(("127.0.0.1", repository.port)) as link:
        link.sendall(
            f"PUT {path}/image HTTP/1.1\r\nHost: x\r\nAuthorization: {told['authorization']}\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
        )
        for at in range(0, len(SAMPLE.image), 50_000):
            part = SAMPLE.image[at : at + 50_000]
            link.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        link.sendall(b"0\r\n\r\n")
        assert b" 200 OK" in link.recv(100)
    state = repository.ask("GET", path, headers=told).json()
    assert (state["state"], state["image_bytes"]) == ("receiving", len(SAMPLE.image))
    assert repository.ask("PUT", f"{path}/frames", SAMPLE.frames, headers=told).status == 200
    raw = SAMPLE.manifest.to_bytes()
    assert repository.ask("PUT", f"{path}/manifest", raw, headers=told).json() == {
        "size_bytes": len(raw)
    }
    done = repository.ask("POST", f"{path}/commit", headers=told)
    assert done.status == 200
    assert (done.json()["name"], done.json()["version"]) == ("debian", 1)
    assert repository.ask("POST", f"{path}/commit", headers=told).json() == done.json()
    assert repository.ask("PUT", f"{path}/image", b"more", headers=told).status == 409


def test_pieces_may_come_again_but_not_leave_a_hole(repository: Repository) -> None:
    told = bearer(repository.token("debian"))
    opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told).json()
    path = f"/api/uploads/{opened['upload']}/image"

    def put(body: bytes, said: str) -> tuple[int, object]:
        answer = repository.ask("PUT", path, body, content_range=said, headers=told)
        return answer.status, answer.json().get("size_bytes")

    assert put(b"0123", "bytes 0-3/*") == (200, 4)
    assert put(b"4567", "bytes 4-7/*") == (200, 8)
    assert put(b"4567", "bytes 4-7/*") == (200, 8)
    assert put(b"ab", "bytes 9-10/*") == (409, None)
    assert put(b"ab", "bytes 8-10/*") == (400, None)
    for nonsense in ("bytes 4-3/*", "bytes */*", "words", "bytes 0-9999999999999999/*"):
        assert put(b"ab", nonsense)[0] == 400
    assert repository.ask("PUT", path, b"x", content_encoding="gzip", headers=told).status == 415


def test_a_capture_survives_a_restart_of_the_server(repository: Repository, tmp_path: Path) -> None:
    sink = HttpUploadSink(
        repository.base,
        "debian",
        repository.token("debian"),
        piece_bytes=300_000,
        connection=Connection(deadline_s=20),
    )
    sink.write(SAMPLE.image[:800_000])
    repository.stop()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(sink.write, SAMPLE.image[800_000:])
        time.sleep(0.3)
        repository.start()
        writing.result(20)
    sink.finish(SAMPLE.write_frames(tmp_path), SAMPLE.manifest.to_bytes())
    assert sink.published == PublishedImage("debian", 1)


def test_a_lost_answer_to_a_commit_is_asked_for_again(
    repository: Repository, tmp_path: Path
) -> None:
    token = repository.token("debian")
    sink = HttpUploadSink(repository.base, "debian", token)
    sink.write(SAMPLE.image)
    sink.finish(SAMPLE.write_frames(tmp_path), SAMPLE.manifest.to_bytes())
    repository.stop()
    repository.start()
    path = sink.describe().removeprefix(repository.base)
    again = repository.ask("POST", f"{path}/commit", headers=bearer(token))
    assert (again.status, again.json()["version"]) == (200, 1)


@contextlib.contextmanager
def hanging_put(repository: Repository, path: str, token: str) -> Iterator[socket.socket]:
    """A PC whose cable was pulled in the middle of a piece."""
    with socket.create_connection(("127.0.0.1", repository.port)) as link:
        link.sendall(
            f"PUT {path}/image HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Range: bytes 0-999999/*\r\nContent-Length: 1000000\r\n\r\n".encode()
            + b"?" * 9
        )
        (upload,) = repository.uploads.list()
        arrived = repository.uploads.file(upload, "image")
        while not arrived.exists():  # it is made when the piece has its turn
            time.sleep(0.01)
        yield link


def test_a_new_connection_takes_over_from_one_that_hangs(
    repository: Repository, tmp_path: Path
) -> None:
    token = repository.token("debian")
    sink = HttpUploadSink(repository.base, "debian", token, connection=Connection(deadline_s=5))
    path = sink.describe().removeprefix(repository.base)
    with hanging_put(repository, path, token) as old:
        assert repository.ask("POST", f"{path}/commit", headers=bearer(token)).status == 409
        sink.write(SAMPLE.image)
        sink.finish(SAMPLE.write_frames(tmp_path), SAMPLE.manifest.to_bytes())
        old.settimeout(5)
        assert old.recv(100) == b""
    assert (repository.folder.images / "debian.img").read_bytes() == SAMPLE.image


def test_an_aborted_capture_leaves_nothing(repository: Repository) -> None:
    sink = HttpUploadSink(repository.base, "debian", repository.token("debian"), piece_bytes=10)
    sink.write(b"0123456789abc")
    assert len(list(repository.folder.uploads.iterdir())) == 1
    sink.abort()
    sink.abort()
    assert list(repository.folder.uploads.iterdir()) == []


def test_room_is_asked_for_before_the_first_byte(repository: Repository) -> None:
    sink = HttpUploadSink(
        repository.base,
        "debian",
        repository.token("debian"),
        connection=Connection(deadline_s=0.3),
        piece_bytes=10,
    )
    sink.reserve(1 << 20)
    with pytest.raises(StatusError, match="disk is full") as caught:
        sink.reserve(1 << 50)
    assert caught.value.status == 507
    sink.abort()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"size_bytes": "much"}', b'{"size_bytes": null}'])
def test_room_is_asked_for_with_a_number(repository: Repository, body: bytes) -> None:
    token = repository.token("debian")
    sink = HttpUploadSink(repository.base, "debian", token)
    target = sink.describe().removeprefix(repository.base)
    assert repository.ask("POST", f"{target}/room", body=body, headers=bearer(token)).status == 400
    sink.abort()


def test_aborting_without_a_server_is_quick_and_quiet(repository: Repository) -> None:
    sink = HttpUploadSink(
        repository.base, "debian", repository.token("debian"), connection=Connection(deadline_s=0.3)
    )
    repository.stop()
    sink.abort()
    repository.start()


def test_a_new_upload_with_the_same_token_replaces_the_old(repository: Repository) -> None:
    token = repository.token("debian")
    first = HttpUploadSink(repository.base, "debian", token, piece_bytes=4)
    HttpUploadSink(repository.base, "debian", token)
    assert len(list(repository.folder.uploads.iterdir())) == 1
    with pytest.raises(StatusError, match="no such upload"):
        first.write(b"0123")


def test_a_repository_without_key_says_so_before_the_capture(repository: Repository) -> None:
    repository.folder.image_key.unlink()
    (repository.folder.keys / "image.pub").unlink()
    with pytest.raises(StatusError, match="no key to sign") as caught:
        HttpUploadSink(repository.base, "debian", repository.token("debian"))
    assert "keygen" in caught.value.hint


def test_uploads_that_stopped_are_dropped_and_live_ones_kept(repository: Repository) -> None:
    HttpUploadSink(repository.base, "debian", repository.token("debian"))
    assert repository.uploads.expire() == []
    (line,) = repository.uploads.expire(time.monotonic() + 3700)
    assert "debian" in line
    assert list(repository.folder.uploads.iterdir()) == []


def test_rubbish_among_the_uploads_is_cleared_at_the_start(repository: Repository) -> None:
    repository.stop()
    for name, content in (("a" * 32, "{"), ("b" * 32, '{"state": "odd"}'), ("c" * 32, "[]")):
        (repository.folder.uploads / name).mkdir()
        (repository.folder.uploads / name / "upload.json").write_text(content)
    (repository.folder.uploads / "file").write_text("")
    repository.start()
    assert len(repository.started_with) == 4
    assert list(repository.folder.uploads.iterdir()) == []


def test_secrets_and_uploads_are_for_the_owner_alone(
    repository: Repository, tmp_path: Path
) -> None:
    repository.upload(SAMPLE, tmp_path)
    HttpUploadSink(repository.base, "debian", repository.token("debian"), piece_bytes=1).write(b"x")
    assert stat.S_IMODE(repository.folder.private.stat().st_mode) == 0o700
    for path in (repository.folder.image_key, repository.folder.private / "token.secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in repository.folder.images.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_manifest_from_a_pc_cannot_choose_version_or_key(
    repository: Repository, tmp_path: Path
) -> None:
    bold = claiming(SAMPLE, version=99, key_id="f" * 16)
    assert repository.upload(bold, tmp_path).version == 1
    (image,) = published(repository.folder)
    assert image.manifest.key_id == image.key_id


def test_an_oversized_manifest_is_refused(repository: Repository) -> None:
    told = bearer(repository.token("debian"))
    opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told).json()
    path = f"/api/uploads/{opened['upload']}/manifest"
    assert repository.ask("PUT", path, bytes(5 << 20), headers=told).status == 413


@pytest.mark.parametrize(
    "odd",
    [
        b"[" * 60_000, b'{"name":' * 8_000, b'{"size_bytes": 1e999}', b'{"size_bytes": NaN}',
        b'{"size_bytes": ' + b"9" * 60_000 + b"}", b'{"size_bytes": ' + b"9" * 400 + b"}",
        b'{"size_bytes": -1}', b'{"size_bytes": true}', b'{"size_bytes": "5"}',
        b'{"size_bytes": [5], "name": {"a": 1}}', b"\xff\xfe\x00", b'"\\ud800"',
    ],
)  # fmt: skip
def test_deep_and_absurd_json_is_refused(repository: Repository, odd: bytes) -> None:
    told = bearer(repository.token("debian"))
    opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told).json()
    strange = {**told, "content-type": "application/json; charset=klingon"}
    for path in (f"/api/uploads/{opened['upload']}/room", "/api/uploads"):
        for headers in (told, strange):
            answer = repository.ask("POST", path, odd, headers=headers)
            assert (answer.status, answer.error["code"]) == (400, 1)


def test_what_is_refused_gives_its_bytes_back_at_once(serve: Serve) -> None:
    with serve(most_bytes=1_000_000) as repository:
        token = repository.token("debian")
        told = bearer(token)
        opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told).json()
        path = f"/api/uploads/{opened['upload']}"
        assert repository.ask("PUT", f"{path}/image", bytes(700_000), headers=told).status == 200
        # One total for all files of a token; what is announced is judged before it arrives.
        refused = repository.ask("PUT", f"{path}/p1-image", bytes(400_000), headers=told)
        assert refused.status == 413
        (staged,) = repository.folder.uploads.iterdir()
        assert [one.name for one in staged.iterdir()] == ["upload.json"]
        assert repository.ask("GET", path, headers=told).json()["state"] == "failed"
        assert repository.ask("PUT", f"{path}/image", b"more", headers=told).status == 409
        assert repository.ask("POST", f"{path}/commit", headers=told).status == 422
        again = HttpUploadSink(repository.base, "debian", token)
        again.write(bytes(500_000))
        again.abort()


def test_a_stream_is_refused_where_it_passes_its_total(serve: Serve) -> None:
    with serve(most_bytes=3 << 20) as repository:
        told = bearer(repository.token("debian"))
        opened = repository.ask("POST", "/api/uploads", b'{"name": "debian"}', headers=told).json()
        path = f"/api/uploads/{opened['upload']}"
        link = http.client.HTTPConnection("127.0.0.1", repository.port, timeout=30)
        pieces = iter([bytes(1 << 20)] * 4)  # no length is announced
        link.request("PUT", f"{path}/image", pieces, told, encode_chunked=True)
        assert link.getresponse().status == 413
        link.close()
        (staged,) = repository.folder.uploads.iterdir()
        assert [one.name for one in staged.iterdir()] == ["upload.json"]


def test_a_promise_survives_a_restart(repository: Repository) -> None:
    sink = HttpUploadSink(
        repository.base, "debian", repository.token("debian"), connection=Connection(deadline_s=20)
    )
    sink.reserve(1 << 30)
    repository.stop()
    repository.start()
    (upload,) = repository.uploads.list()
    assert upload.promised_bytes == 1 << 30
    sink.abort()


def test_a_manifest_of_the_largest_size_comes_and_goes(
    repository: Repository, tmp_path: Path
) -> None:
    room = limits.MANIFEST_BYTES - len(SAMPLE.manifest.to_bytes()) - 200
    long = claiming(SAMPLE, software=tuple(f"{number:>096}" for number in range(room // 104)))
    assert len(long.manifest.to_bytes()) > limits.MANIFEST_BYTES - 1000
    assert repository.upload(long, tmp_path).version == 1
    with RepositoryClient(repository.base) as client:
        assert Manifest.from_bytes(client.fetch_manifest("debian")).version == 1


def test_opening_wants_a_small_json_object(repository: Repository) -> None:
    told = bearer(repository.token("debian"))
    for body in (b"", b"[]", b"{", b'"debian"', b"{}", b"\xff"):
        assert repository.ask("POST", "/api/uploads", body, headers=told).status == 400
    huge = json.dumps({"name": "debian", "pad": "x" * 100_000}).encode()
    assert repository.ask("POST", "/api/uploads", huge, headers=told).status == 413
