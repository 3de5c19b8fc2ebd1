# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo keygen`` and ``ogrepo token``: what signs, and what lets a PC upload."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from ogrepo.intake.tokens import load_secret, make_token
from ogrepo.library.folder import checked_name, make_folder, open_folder
from ogrepo.library.signingkey import checked_comment, make_key
from ogrepo.verbs.line import NAME, Words, add_verb


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    keygen = add_verb(words, "keygen", _keygen, help="make a repository with its signing key")
    keygen.add_argument("--comment", default="", help="who signs, for people")
    token = add_verb(
        words, "token", _token, NAME, help="print a token that lets a PC upload one image"
    )
    return keygen, token


def _keygen(arguments: argparse.Namespace) -> int:
    comment = checked_comment(arguments.comment)
    folder = make_folder(arguments.dir)
    public = make_key(folder, comment)
    if arguments.json:
        print(json.dumps({"key_id": public.key_id, "public_key": str(folder.keys / "image.pub")}))
    else:
        print(f"{folder.keys / 'image.pub'} (key {public.key_id})")
    return 0


def _token(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.dir)
    token = make_token(load_secret(folder), checked_name(arguments.name))
    print(json.dumps({"token": token}) if arguments.json else token)
    return 0
