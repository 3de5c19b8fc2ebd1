# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind the real nginx with the configuration that is rendered: forms pass, files come, its log is
the one that is followed."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ognetboot.hearing.following import fetched
from ognetboot.hearing.identity import Claim
from ognetboot.hearing.seen import seen_of
from ognetboot.texts.server_files import FORMS_PORT
from unit.ognetboot.serving.server import INVENTORY, MAC
from unit.ognetboot.serving.test_command import ENDS_S, SCRIPT, Running

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
WHOLE = """\
daemon off;
worker_processes 1;
pid {place}/pid;
error_log {place}/error.log;
events {{ }}
http {{
  access_log {place}/access.log combined;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  include {place}/netboot.conf;
}}
"""


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    end = time.monotonic() + ENDS_S
    while True:
        try:
            url = f"http://127.0.0.1:{port}{path}"
            with urllib.request.urlopen(url, timeout=ENDS_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except urllib.error.URLError:  # it has not begun
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_nginx_passes_on_what_pcs_say_and_writes_no_password(tmp_path: Path) -> None:
    assert NGINX is not None
    port, behind = free(), free()
    file, out = tmp_path / "rooms.toml", tmp_path / "srv/netboot"
    file.write_text(INVENTORY.replace("8080", str(port)), "utf-8")
    place = tmp_path / "nginx"
    place.mkdir()
    words = ["serve", str(file), str(out), "--no-dhcp", "--no-tftp", "--behind", str(behind)]
    daemon = Running(*words)
    web = None
    try:
        daemon.says("Stop it with Ctrl-C.")
        text = (out / "nginx.conf").read_text()
        (place / "netboot.conf").write_text(text.replace(f":{FORMS_PORT};", f":{behind};"))
        # Its workers are no root, and the folders of tests are their owner's alone.
        user = "user root;\n" if tmp_path.owner() == "root" else ""
        (place / "nginx.conf").write_text(user + WHOLE.format(place=place))
        web = subprocess.Popen([NGINX, "-p", place, "-c", place / "nginx.conf"])
        assert get(port, SCRIPT)[0] == 200
        assert get(port, f"/netboot/do/reached?mac={MAC}&entry=oglive")[0] == 204
        secret = f"/netboot/do/unlock.ipxe?mac={MAC}&item=maintenance&password=correct%20horse"
        assert get(port, secret)[0] == 200
        assert get(behind, "/netboot/boot.ipxe")[0] == 404
        assert get(port, "/rooms.toml")[0] == 404
        assert daemon.end(signal.SIGTERM) == 0, daemon.lines
        assert get(port, secret)[0] == 502
    finally:
        daemon.process.kill()
        if web is not None:
            web.terminate()
            web.wait(ENDS_S)
    assert seen_of(file)["pc01"].ip == "127.0.0.1"
    log = (place / "access.log").read_bytes()
    assert b"horse" not in log + (place / "error.log").read_bytes()
    assert [who for line in log.splitlines() if (who := fetched(line))] == [Claim(MAC, "", "")]
