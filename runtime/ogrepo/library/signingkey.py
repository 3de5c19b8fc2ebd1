# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's signing key: made once, and its public half always beside it."""

from __future__ import annotations

from oglib.durable import sync
from oglib.errors import ImageError, OgErr, OgError, UsageError
from oglib.image.format.manifest import PrivateKey, PublicKey, generate_keypair
from ogrepo.library.folder import Folder, hand_over, held, write_whole


def checked_comment(comment: str) -> str:
    """A comment that may stand in the line of a public key."""
    if not comment.isprintable() or not comment.isascii():
        raise UsageError("A key's comment is printable ASCII text.")
    return comment


def signing_key(folder: Folder) -> PrivateKey | None:
    """What signs here; None: it is on another machine. A damaged one says nothing of an image."""
    if not folder.image_key.exists():
        return None
    try:
        return PrivateKey.load(folder.image_key)
    except ImageError as error:
        raise OgError(
            f"The repository's signing key is damaged: {error.message}",
            hint="Take it from a backup (`ogrepo restore`).",
            code=OgErr.REPO,
        ) from None


def make_key(folder: Folder, comment: str = "") -> PublicKey:
    """A new key pair; raises when there is one.

    A key whose public half was not written (the machine went down between the two) gets it now.
    """
    public_file = folder.keys / "image.pub"
    with held(folder, "image.key", what="The signing key"):
        if folder.image_key.exists():
            if public_file.exists():
                raise OgError(
                    f"{folder.root} has a signing key already.",
                    hint=f"To replace it, move {folder.image_key} away first and keep "
                    f"{public_file} under another name until no PC needs it.",
                    code=OgErr.LOCKED,
                )
            public = PrivateKey.load(folder.image_key).public
        elif public_file.exists():
            raise OgError(
                f"{public_file} is there without its private half, so this repository is signed "
                "on another machine.",
                hint="Sign there with `ogrepo sign`. To sign here from now on, bring the private "
                f"half to {folder.image_key}, or rename {public_file} and make a key.",
                code=OgErr.LOCKED,
            )
        else:
            private, public = generate_keypair()
            private.save(folder.image_key)
            hand_over(folder.image_key, folder.private)
            sync(folder.private)
        line = PublicKey(public.raw, comment).to_line()
        write_whole(public_file, line.encode())
    return public
