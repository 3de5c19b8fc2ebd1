# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads under way: their state on disk, and the steps from received to published.

One folder per upload below ``private/uploads``: its state, and in ``staged/`` what it brought. What
was received survives a restart of the server, so a PC continues; a publication that was cut is
finished at the next start. No HTTP here; everything may block: the server calls it from threads.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from oglib.durable import sync
from oglib.errors import ImageError, NotFoundError, OgErr, OgError
from oglib.image.format.manifest import PrivateKey
from oglib.progress import Progress
from ogrepo.intake.ledger import MOST_BYTES, SPARE_BYTES, Ledger
from ogrepo.intake.tokens import Grant, burn, forget_burns
from ogrepo.intake.upload import STATE, State, Upload, gather, load, save
from ogrepo.library import staged_disks
from ogrepo.library.folder import Folder, walk
from ogrepo.library.publishing import finish_all, publish, turn
from ogrepo.library.signed import prove, received_manifest, write_signed
from ogrepo.library.signingkey import signing_key
from ogrepo.library.staged_disks import is_disk, prepare_disk
from ogrepo.library.store import FRAMES, IMAGE, next_version, staged_file
from ogrepo.library.waiting import let_wait
from ogrepo.shortage import is_shortage

IDLE_S = 3600.0
_RECEIVED_MANIFEST = "manifest"
_STAGED = "staged"  # of an upload's folder: all that is not its state


class Uploads:
    """All uploads of one repository, in memory and on disk."""

    def __init__(
        self,
        folder: Folder,
        most_bytes: int = MOST_BYTES,
        spare_bytes: int = SPARE_BYTES,
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """The limits as of ``Ledger``."""
        self._folder = folder
        self.ledger = Ledger(folder.uploads, most_bytes, spare_bytes, make_room)
        self._lock = threading.Lock()
        self._all: dict[str, Upload] = {}
        self.ended: Counter[str] = Counter()
        self._seen: dict[str, tuple[float, float]] = {}

    def start(self) -> list[str]:
        """Read what an earlier server left, finish cut publications, drop what is too old.

        Returns one sentence for each thing done, for the log.
        """
        done = []
        for path in sorted(self._folder.uploads.iterdir()):
            try:
                upload = load(path)
            except OSError as error:
                # nobody's, and somebody's all the same: the next start may be able to read it
                done.append(f"Left {path.name} as it is, it cannot be read: {error.strerror}.")
                continue
            if upload is None:
                _remove(path)
                done.append(f"Removed {path.name}, which is no upload.")
                continue
            self._all[upload.id] = upload
            gather(path, self.staged(upload))
            if upload.state is State.PUBLISHING:
                done.append(self._finish(upload))
            elif upload.state is State.RECEIVING:
                self.ledger.open(upload.id, self._sizes(upload), upload.promised_bytes)
        if not self._all and forget_burns(self._folder):
            done.append("Made a new token secret; tokens given out before are void.")
        return done + finish_all(self._folder) + self.expire()

    def _finish(self, upload: Upload) -> str:
        what = f"publishing {upload.grant.name} version {upload.version}"
        try:
            self._place(upload)
        except (OgError, OSError) as error:
            # The other images can be served all the same.
            return f"Could not finish {what}: {error}"
        return f"Finished {what}."

    def _place(self, upload: Upload) -> None:
        with turn(self._folder, upload.grant.name):
            self._publish(upload)

    def _publish(self, upload: Upload) -> None:
        """With the name's turn; where nothing is staged any more, the turn has published it."""
        name, staged = upload.grant.name, self.staged(upload)
        if staged.exists() and upload.waits:
            let_wait(self._folder, name, upload.version, staged)
        elif staged.exists():
            publish(self._folder, name, staged)
        upload.state = State.WAITING if upload.waits else State.PUBLISHED
        self.ended[str(upload.state)] += 1
        self._save(upload)
        self.ledger.close(upload.id)

    def expire(self, now: float | None = None) -> list[str]:
        """Drop uploads of which nothing was written for an hour.

        ``now`` is of ``time.monotonic``: a clock that is set drops no capture that goes on.
        """
        moment = time.monotonic() if now is None else now
        done = []
        for upload in self.list():
            newest = self._touched(upload)
            seen = self._seen.get(upload.id)
            busy = upload.state in (State.VERIFYING, State.PUBLISHING)
            if seen is None or seen[0] != newest or busy:
                self._seen[upload.id] = newest, moment
            elif moment - seen[1] > IDLE_S:
                if upload.state is State.RECEIVING:
                    done.append(f"Dropped an upload of {upload.grant.name} that had stopped.")
                self.drop(upload)
        return done

    def list(self) -> list[Upload]:
        with self._lock:
            return list(self._all.values())

    def path(self, upload: Upload) -> Path:
        return self._folder.uploads / upload.id

    def staged(self, upload: Upload) -> Path:
        """What it brought, until that is published."""
        return self.path(upload) / _STAGED

    def file(self, upload: Upload, kind: str) -> Path:
        """Where the bytes of ``image``, ``frames`` or ``manifest``, or of a disk, are gathered."""
        of_disk = staged_disks.staged_file(self.staged(upload), kind)
        if of_disk is not None:
            return of_disk
        if kind == _RECEIVED_MANIFEST:
            return self.staged(upload) / _RECEIVED_MANIFEST
        return staged_file(self.staged(upload), {"image": IMAGE, "frames": FRAMES}[kind])

    def promise(self, upload: Upload, more_bytes: int) -> None:
        """Keep room for so much more of it; a restart does not forget that."""
        upload.promised_bytes = self.ledger.promise(upload.id, more_bytes)
        self._save(upload)

    def announce(self, upload: Upload, kind: str, start: int, count: int | None) -> None:
        """As ``Ledger.announce``."""
        self.ledger.announce(upload.id, self._key(upload, kind), start, count)

    def grow(self, upload: Upload, kind: str, count: int) -> None:
        """As ``Ledger.grow``."""
        self.ledger.grow(upload.id, self._key(upload, kind), count)

    def _key(self, upload: Upload, kind: str) -> str:
        return str(self.file(upload, kind).relative_to(self.path(upload)))

    def received(self, upload: Upload) -> dict[str, int]:
        """How much of each file is here, as ``KIND_bytes``."""
        sizes = {}
        for kind in ("image", "frames", _RECEIVED_MANIFEST):
            with contextlib.suppress(FileNotFoundError):
                sizes[f"{kind}_bytes"] = self.file(upload, kind).stat().st_size
        return sizes

    def open(self, grant: Grant) -> Upload:
        """A new upload; one that the same token opened before is given up for it."""
        for other in self.list():
            if other.grant.nonce == grant.nonce:
                if other.state in (State.VERIFYING, State.PUBLISHING):
                    raise OgError(
                        f"An upload of {grant.name} with this token is being verified.",
                        hint="Wait for its result.",
                        code=OgErr.LOCKED,
                    )
                self.drop(other)
        upload = Upload(secrets.token_hex(16), grant)
        self.path(upload).mkdir(mode=0o700)
        self.staged(upload).mkdir(mode=0o700)
        self._save(upload)
        self.ledger.open(upload.id, {})
        with self._lock:
            self._all[upload.id] = upload
        return upload

    def get(self, upload_id: str, grant: Grant) -> Upload:
        """The upload with this id, for the token that opened it and no other."""
        with self._lock:
            upload = self._all.get(upload_id)
        if upload is None or upload.grant.nonce != grant.nonce:
            raise NotFoundError(
                "There is no such upload here, or no longer.",
                hint="Begin the capture again.",
                code=OgErr.REPO,
            )
        return upload

    def drop(self, upload: Upload) -> None:
        """Forget an upload and what it brought."""
        with self._lock:
            self._all.pop(upload.id, None)
            self._seen.pop(upload.id, None)
        shutil.rmtree(self.path(upload), ignore_errors=True)
        self.ledger.close(upload.id)

    def refuse(self, upload: Upload, error: OgError) -> None:
        """What it brought will not be published: its bytes are given back at once."""
        upload.error = error.as_dict()
        upload.state = State.FAILED
        self.ended[str(upload.state)] += 1
        for path in self.path(upload).iterdir():
            if path.name != STATE:
                _remove(path)
        self.ledger.close(upload.id)
        self._save(upload)

    def commit(self, upload: Upload, progress: Progress) -> None:
        """Verify, number, sign and publish; ends in ``PUBLISHED``, or raises.

        Where the key is on another machine it ends in ``WAITING``. A damaged upload is ``FAILED``
        and its bytes are dropped; after any other error the commit may be tried again.
        """
        try:
            with turn(self._folder, upload.grant.name):
                if upload.state is not State.PUBLISHING:  # else only the placing failed last time
                    self._judge(upload, progress)
                self._publish(upload)
        except BaseException:
            if upload.state is State.VERIFYING:
                upload.state = State.RECEIVING
            raise

    def _judge(self, upload: Upload, progress: Progress) -> None:
        try:
            self._prepare(upload, progress)
        except ImageError as error:
            if not is_shortage(error):  # which says nothing about the image
                self.refuse(upload, error)
            raise

    def _prepare(self, upload: Upload, progress: Progress) -> None:
        """Everything up to the point of no return, which is the state ``PUBLISHING`` on disk."""
        upload.state = State.VERIFYING
        staged, key = self.staged(upload), signing_key(self._folder)
        if is_disk(staged):
            version = prepare_disk(self._folder, upload.grant.name, staged, key, progress)
        else:
            version = self._prepare_image(upload, key, progress)
        sync(staged)
        burn(self._folder, upload.grant, upload.id)
        upload.version, upload.waits = version, key is None
        upload.state = State.PUBLISHING
        self._save(upload)

    def _prepare_image(self, upload: Upload, key: PrivateKey | None, progress: Progress) -> int:
        def path_of(suffix: str) -> Path:
            return staged_file(self.staged(upload), suffix)

        name = upload.grant.name
        manifest = received_manifest(self.file(upload, _RECEIVED_MANIFEST), name)
        prove(manifest, path_of, progress)
        version = next_version(self._folder, name)
        write_signed(manifest, version, key, path_of)
        return version

    def _touched(self, upload: Upload) -> float:
        times = [0.0]
        with contextlib.suppress(OSError):
            times += [path.stat().st_mtime for path in self.path(upload).rglob("*")]
        return max(times)

    def _sizes(self, upload: Upload) -> dict[str, int]:
        """What is there of each file, by its path; what cannot be seen now counts nothing."""
        sizes = {}
        for folder, names in walk(self.path(upload)):
            for path in (folder / name for name in names if name != STATE):
                with contextlib.suppress(OSError):
                    sizes[str(path.relative_to(self.path(upload)))] = path.stat().st_size
        return sizes

    def _save(self, upload: Upload) -> None:
        save(self.path(upload), upload)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
