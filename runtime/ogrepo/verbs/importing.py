# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo import`` and ``ogrepo adopt``: images that are files already."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from oglib.errors import OgErr, OgError, UsageError
from oglib.reporters import for_stream
from oglib.wording.amounts import human_bytes
from ogrepo.arriving.adopting import adopt, look
from ogrepo.arriving.importing import Imported, bring_in
from ogrepo.arriving.sources import arrivals
from ogrepo.arriving.survey import DAMAGED, Found, checked_folder
from ogrepo.arriving.watching import REST_S, Watch, Watching
from ogrepo.library.folder import checked_name, open_folder
from ogrepo.library.proving.pacing import Pace
from ogrepo.verbs.line import Behind, Words, add_verb, plain
from ogrepo.words import fitted

_RATE_MIB = 100
_MOST_REST_S = 86_400


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    paths = Behind("paths", "PATH", many=True, help="a file, a first volume, a saved disk's folder")
    bring = add_verb(words, "import", _import, paths, help="take images that are files")
    bring.add_argument("--name", metavar="NAME", help="what it is called here")
    bring.add_argument("--convert", action="store_true", help="make it one of our own format")
    bring.add_argument("--watch", type=Path, metavar="FOLDER", help="take what comes into FOLDER")
    bring.add_argument(
        "--rest",
        type=float,
        default=REST_S,
        metavar="SECONDS",
        help=f"with --watch: how long a file must lie unchanged, default {REST_S:g}",
    )
    folder = Behind("folder", "FOLDER", "The folder of the images is missing.")
    told = "serve OpenGnsys' images from where they lie"
    take = add_verb(words, "adopt", _adopt, folder, help=told)
    take.add_argument("--dry-run", action="store_true", help="only look, and tell")
    take.add_argument(
        "--rate",
        type=int,
        default=_RATE_MIB,
        metavar="MIB",
        help=f"how many MiB a second are read at most, default {_RATE_MIB}; 0 = no bound",
    )
    return bring, take


def _import(arguments: argparse.Namespace) -> int:
    """Import every path, also after one was bad; the exit code is that of the last bad one."""
    if bool(arguments.paths) == bool(arguments.watch):
        raise UsageError("Name the files to import, or a folder with --watch.")
    if arguments.name and (arguments.watch or len(arguments.paths) > 1):
        raise UsageError("--name is for one path.")
    folder = open_folder(arguments.dir)
    if arguments.watch:
        return _watch(arguments)
    name = checked_name(arguments.name) if arguments.name else ""
    worst, results = 0, []
    for path in map(Path, arguments.paths):
        try:
            for arrival in arrivals(path, name):
                progress = for_stream(sys.stderr, as_json=arguments.json)
                done = bring_in(folder, arrival, convert=arguments.convert, progress=progress)
                results.append({"path": str(path), **done.as_dict()})
                if not arguments.json:
                    _tell(path, done)
        except OgError as error:
            worst = int(error.code)
            results.append({"path": str(path), **error.as_dict()})
            if not arguments.json:
                print(fitted(plain(f"{path}: {error}"), sys.stderr), file=sys.stderr)
    if arguments.json:
        print(json.dumps({"images": results}, indent=2))
    return worst


def _watch(arguments: argparse.Namespace) -> int:
    if not arguments.watch.is_dir():
        raise UsageError(f"{arguments.watch} is no folder that could be watched.")
    if not 0 <= arguments.rest <= _MOST_REST_S:
        raise UsageError(f"--rest takes 0 to {_MOST_REST_S} seconds.")
    watching = Watching(arguments.watch.resolve(), arguments.convert, arguments.rest)

    def tell(path: Path, what: Imported | OgError) -> None:
        if arguments.json:
            print(json.dumps({"path": str(path), **what.as_dict()}), flush=True)
        elif isinstance(what, OgError):
            print(fitted(plain(f"{path}: {what}"), sys.stderr), file=sys.stderr, flush=True)
        else:
            _tell(path, what)

    progress = for_stream(sys.stderr, as_json=arguments.json)
    watch = Watch(open_folder(arguments.dir), watching, tell, progress)
    with suppress(KeyboardInterrupt):  # that is how it ends
        watch.run(threading.Event())
    return 0


def _tell(path: Path, done: Imported) -> None:
    line = f"{path}: {done.name} version {done.version}, {done.how}, {human_bytes(done.size_bytes)}"
    print(fitted(plain(line), sys.stdout), flush=True)
    for sentence in done.said:
        print(fitted(plain(f"    {sentence}"), sys.stdout), flush=True)


def _adopt(arguments: argparse.Namespace) -> int:
    """Each image is told when it was judged; 5 where one is damaged."""
    if arguments.rate < 0:
        raise UsageError("--rate cannot be less than 0.")
    folder = open_folder(arguments.dir)
    top = checked_folder(folder, Path(arguments.folder))
    progress = for_stream(sys.stderr, as_json=arguments.json)
    results = []
    found = (
        look(folder, top)
        if arguments.dry_run
        else adopt(folder, top, progress=progress, pace=Pace(arguments.rate << 20))
    )
    for one in found:
        results.append(one)
        if not arguments.json:
            print(fitted(plain(_sentence(one)), sys.stdout), flush=True)
    if arguments.json:
        print(json.dumps({"images": [one.as_dict() for one in results]}, indent=2))
    return int(OgErr.IMAGE) if any(one.state == DAMAGED for one in results) else 0


def _sentence(one: Found) -> str:
    served = f" as {one.name}" if one.is_renamed else ""
    said = f": {one.said}" if one.said else ""
    size = f", {human_bytes(one.size)}" if one.size else ""
    return f"{one.path}: {one.state}{served}{size}{said}"
