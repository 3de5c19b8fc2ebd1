# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server by real sockets: what it gives out, what it refuses, and whom it lets in."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.serving import connection, http
from unit.ognetboot.serving.server import MAC, Site, asked, running


def test_files_and_parts_of_them(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        script = await site.get("/netboot/boot.ipxe")
        assert (script.status, script.text) == (200, "#!ipxe\n")
        assert "Cache-Control: no-cache" in script.head
        for path in ("/oglive/current/ogvmlinuz", "/netboot/oglive/current/ogvmlinuz"):
            kernel = await site.get(path)
            assert kernel.body == bytes(range(256)) * 400
        part = await site.get("/oglive/current/ogvmlinuz", headers="Range: bytes=256-511\r\n")
        assert (part.status, part.body) == (206, bytes(range(256)))
        loader = await site.get("/netboot//shimx64.efi")
        assert loader.status == 200
        assert "Content-Type: application/efi" in loader.head
        head = await site.send(
            b"HEAD /oglive/current/ogvmlinuz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert (head.status, head.body) == (200, b"")
        assert "Content-Length: 102400" in head.head

    asked(tmp_path, ask)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/netboot/",
        "/netboot/.ognetboot",
        "/netboot/ipxe",
        "/private/image.key",
        "/netboot/../private/image.key",
        "/netboot/%2e%2e/private/image.key",
        "/netboot/%2e%2e%2fprivate%2fimage.key",
        "/oglive/../private/image.key",
        "/netboot/out",
        "/oglive/current/out",
        "/netboot/home",
        "/netboot/a%00b",
        "/netboot/" + "a/" * 400,
        "/rooms.toml",
        "/netboot/do/nothing",
        "/netboot/do/",
    ],
)
def test_nothing_else_is_given_out(tmp_path: Path, path: str) -> None:
    async def ask(site: Site) -> None:
        outside = site.file.parent / "outside"
        outside.write_text("secret")
        (site.out / "out").symlink_to(outside)
        (site.out / "home").symlink_to("../private/image.key")
        (site.out.parent / "oglive/current/out").symlink_to(outside)
        answer = await site.get(path)
        assert answer.status in (400, 404)
        assert b"secret" not in answer.body

    asked(tmp_path, ask)


@pytest.mark.parametrize(
    "data",
    [
        b"\0\1\2\3\r\n\r\n",
        b"GET\r\n\r\n",
        b"PUT /netboot/boot.ipxe HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        b"Connection: close\r\n\r\n",
        b"GET /netboot/boot.ipxe HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST /netboot/do/reached HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Length: 20000\r\n\r\n" + b"a" * 20_000,
        b"POST /netboot/do/reached HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\n",
    ],
)
def test_nonsense_is_refused_and_not_written_down(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    async def ask(site: Site) -> None:
        assert 400 <= (await site.send(data)).status < 500
        assert (await site.get("/netboot/boot.ipxe")).status == 200

    asked(tmp_path, ask)
    assert "aaa" not in caplog.text
    assert capfd.readouterr().err == ""


def test_who_sends_no_header_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADER_S", 0.2)

    async def ask(site: Site) -> None:
        for sent in (b"", b"GET /netboot/boot.ipxe HTTP/1.1\r\nX: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(sent)
            async with asyncio.timeout(30):
                assert await reader.read() == b""
            writer.close()

    asked(tmp_path, ask)


def test_one_address_cannot_take_all_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_PER_ADDRESS", 4)

    async def ask(site: Site) -> None:
        held = [
            await asyncio.open_connection("127.0.0.1", site.port, local_addr=("127.0.0.9", 0))
            for _ in range(4)
        ]
        assert (await site.get("/netboot/boot.ipxe")).status == 200
        assert (await site.get("/netboot/boot.ipxe", source="127.0.0.9")).status == 503
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(30):
            while (await site.get("/netboot/boot.ipxe", source="127.0.0.9")).status != 200:
                await asyncio.sleep(0)

    asked(tmp_path, ask)


def test_who_asks_too_often_is_told_so(tmp_path: Path) -> None:
    async def ask(site: Site) -> None:
        query = f"/netboot/do/reached?mac={MAC}&entry=oglive"
        got = [(await site.get(query, source="127.0.0.9")).status for _ in range(40)]
        assert got[:30] == [204] * 30
        assert 429 in got
        assert (await site.get(query)).status == 204

    asked(tmp_path, ask)


def test_the_proxy_of_this_machine_says_who_asks(tmp_path: Path) -> None:
    async def run(behind: bool) -> str:
        folder = tmp_path / str(behind)
        folder.mkdir()
        async with running(folder, behind_proxy=behind) as site:
            await site.get(
                f"/netboot/do/reached?mac={MAC}&entry=oglive", headers="X-Real-IP: 10.9.8.7\r\n"
            )
            return site.reports._seen["pc01"].ip

    assert asyncio.run(run(True)) == "10.9.8.7"
    assert asyncio.run(run(False)) == "127.0.0.1"


def test_a_port_that_is_taken_names_its_holder() -> None:
    with http.listen("127.0.0.1", 0) as sock:
        sock.listen()
        with pytest.raises(NetbootError, match=r"python.* \(process [0-9]+.*\) listens there"):
            http.listen("127.0.0.1", sock.getsockname()[1])


@pytest.mark.parametrize("bind", ["nonsense", "192.0.2.1"])
def test_a_place_that_is_not_here_is_said(bind: str) -> None:
    with pytest.raises(NetbootError, match=r"IP address|cannot listen"):
        http.listen(bind, 0)
