# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the inventory of an ogServer through its REST interface; changes nothing there.

`GET /scopes` tells centres, folders, rooms and PCs as a tree, `GET /client/info` each PC, asked
with a JSON body. The whole exchange has one end in time, and each answer a size.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.inventory.importing.brought import (
    Brought,
    BroughtCentre,
    BroughtGroup,
    BroughtPc,
    BroughtRoom,
)

_MOST_BYTES = 32 << 20
_MOST_DEPTH = 32
_DEADLINE_S = 600.0
_USUAL_PORT = 8888
_TOKEN = re.compile(r"[!-~]{1,200}")
_TOKEN_BYTES = 4096

# Path and body to the answer's object.
Ask = Callable[[str, object | None], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and how."""

    host: str
    port: int
    tls: ssl.SSLContext | None


def address(url: str, ca: Path | None = None) -> Address:
    """`http://HOST:PORT` or `https://HOST:PORT`, checked by the CAs of the system or by `ca`."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or _USUAL_PORT
        (host or "").encode("idna")  # as a socket does with it
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
        raise NetbootError(
            f"{url} is not the address of an ogServer", hint="write it as https://server:8888"
        )
    if parts.scheme == "http":
        return Address(host, port, None)
    try:
        return Address(host, port, ssl.create_default_context(cafile=ca and str(ca)))
    except (OSError, ssl.SSLError):
        raise NetbootError(f"{ca} holds no CA", hint="give a PEM file") from None


def read_token(path: Path) -> str:
    """The API token, which is a secret: it stands in a file, never in a command."""
    try:
        token = keeping.content(path, _TOKEN_BYTES)[:_TOKEN_BYTES].decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not plain text"
        raise NetbootError(f"{path} cannot be read: {why}", hint="give the token's file") from None
    if not _TOKEN.fullmatch(token):
        raise NetbootError(f"{path} holds no token", hint="put the token alone on its first line")
    return token


def asker(where: Address, token: str, deadline_s: float = _DEADLINE_S) -> Ask:
    """What asks that server; all questions together end after `deadline_s`."""
    end = time.monotonic() + deadline_s

    def ask(path: str, body: object | None) -> Mapping[str, object]:
        left = end - time.monotonic()
        if left <= 0:
            raise _late(where, path)
        return _exchange(where, token, path, body, left)

    return ask


def _late(where: Address, path: str) -> NetbootError:
    return NetbootError(
        f"{where.host} did not answer {path} in time", hint="see whether ogServer works"
    )


def _exchange(
    where: Address, token: str, path: str, body: object | None, left_s: float
) -> Mapping[str, object]:
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"Authorization": token, "Content-Type": "application/json"}
    late = threading.Event()
    connection = (
        http.client.HTTPConnection(where.host, where.port, timeout=left_s)
        if where.tls is None
        else http.client.HTTPSConnection(where.host, where.port, timeout=left_s, context=where.tls)
    )

    def stop() -> None:
        """A server that sends one byte now and then would never be late for one read."""
        late.set()
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(left_s, stop)
    watch.daemon = True
    watch.start()
    try:
        connection.request("GET", path, body=data, headers=headers)
        answer = connection.getresponse()
        status, text = answer.status, answer.read(_MOST_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise _late(where, path) from None
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise NetbootError(
            f"{where.host}:{where.port} cannot be asked for {path}: {why}",
            hint="check address, port, http or https, and the CA (--ca)",
        ) from None
    finally:
        watch.cancel()
        connection.close()
    if late.is_set():
        raise _late(where, path)
    return _object(where, path, status, text)


def _object(where: Address, path: str, status: int, text: bytes) -> Mapping[str, object]:
    if status == http.client.UNAUTHORIZED:
        raise NetbootError(
            f"{where.host} does not take the token", hint="see api_token in its ogserver.json"
        )
    if status != http.client.OK:
        raise NetbootError(
            f"{where.host} answers {path} with {status}", hint="see its log (ogServer: journalctl)"
        )
    if len(text) > _MOST_BYTES:
        raise NetbootError(
            f"{where.host} answers {path} with more than {_MOST_BYTES >> 20} MiB",
            hint="see whether that is an ogServer",
        )
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NetbootError(
            f"{where.host} answers {path} with no JSON object",
            hint="see whether that is an ogServer",
        )
    return found


# ---- what it says -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Around:
    """What lies around a scope of the tree."""

    centre: str = ""
    room: str = ""
    groups: tuple[str, ...] = ()


def read_ogserver(ask: Ask, source: str) -> Brought:
    """All that the server tells."""
    brought = Brought(source)
    for scope, around in _walk(ask("/scopes", None), _Around(), 0):
        kind, number = str(scope.get("type", "")), str(scope.get("id", ""))
        name = str(scope.get("name", ""))
        if kind == "center":
            brought.centres.append(BroughtCentre(number, name))
        elif kind == "room":
            brought.rooms.append(BroughtRoom(number, name, around.centre, groups=around.groups))
        elif kind == "folder":
            within = around.groups[-1] if around.groups else ""
            brought.groups.append(BroughtGroup(_folder(around, number), name, within))
        elif kind == "computer":
            brought.pcs.append(_pc(ask, scope, around))
        else:
            brought.lost[f"scope of the type {kind!r}"] += 1
    if brought.pcs:
        brought.lost["hardware profiles, netmask, interface and driver of PCs"] = len(brought.pcs)
    return brought


def _folder(around: _Around, number: str) -> str:
    """Folders of rooms and those of PCs are counted apart there."""
    return f"pc{number}" if around.room else f"room{number}"


def _walk(
    scope: Mapping[str, object], around: _Around, depth: int
) -> Iterator[tuple[Mapping[str, object], _Around]]:
    inner = scope.get("scope")
    if not isinstance(inner, list) or depth > _MOST_DEPTH:
        return
    for one in inner:
        if not isinstance(one, dict):
            continue
        yield one, around
        number = str(one.get("id", ""))
        below = {
            "center": _Around(centre=number),
            "room": _Around(around.centre, number, around.groups),
            "folder": _Around(
                around.centre, around.room, (*around.groups, _folder(around, number))
            ),
        }.get(str(one.get("type", "")), around)
        yield from _walk(one, below, depth + 1)


def _pc(ask: Ask, scope: Mapping[str, object], around: _Around) -> BroughtPc:
    ip = str(scope.get("ip", ""))
    info = ask("/client/info", {"client": [ip]})

    def text(key: str) -> str:
        value = info.get(key)
        return value.strip() if isinstance(value, str) else ""

    return BroughtPc(
        place=f"id {scope.get('id', '')}",
        name=text("name") or str(scope.get("name", "")),
        mac=text("mac"),
        ip=text("ip") or ip,
        serial=text("serial_number"),
        room=around.room,
        group=around.groups[-1] if around.groups else "",
        entry=text("boot"),
    )
