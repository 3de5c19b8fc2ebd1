# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd units of a larger site, as text. Pure.

There, nginx (or another server) gives out the files and Debian's dnsmasq does DHCP and TFTP; our
small daemon hears what PCs report and keeps the tree. Where no daemon is wanted, a path and a timer
keep the tree instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ognetboot import keeping
from ogunits import SANDBOX, command, in_home, rest_of_line, word

DAEMON = "ognetboot.service"
RENDER = "ognetboot-render.service"
_LEASES = "ognetboot-dnsmasq"
_RIGHTS = "CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW"
# What none of them needs is refused with EPERM, as the sandbox says.
_CALLS = """\
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""
_SANDBOX = SANDBOX + _CALLS


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is: the program and the folders of its code, the inventory, the tree; the
    daemon's port on 127.0.0.1, and the user that it runs as."""

    program: Path
    code: tuple[Path, ...]
    inventory: Path
    out: Path
    port: int
    user: str


def units(place: Place) -> dict[str, str]:
    """Each file's path below systemd's folder, and its text."""
    return {
        **keeping_units(place),
        "dnsmasq.service.d/ognetboot.conf": _dnsmasq(place),
        "nginx.service.d/ognetboot.conf": _NGINX,
    }


def keeping_units(place: Place) -> dict[str, str]:
    """Those that keep the tree, by the daemon or by the clock; DHCP and HTTP are not theirs."""
    return {
        DAEMON: _daemon(place),
        RENDER: _render(place),
        "ognetboot-render.path": _path(place),
        "ognetboot-render.timer": _TIMER,
    }


def next_steps(place: Place) -> str:
    """What an administrator does then."""
    beside, stem = quote(str(place.inventory.parent)), place.inventory.stem
    mine = " -o ".join(f"-name {quote(f'{before}{stem}.*')}" for before in ("", "."))
    # The folders themselves, and what is ours in them: others keep their files there, too.
    folders = f"{beside} {quote(str(place.out.parent))}"
    return (
        f"Then, as root: useradd --system --no-create-home --shell /usr/sbin/nologin {place.user}; "
        f"chown {place.user} {folders}; find {beside} -maxdepth 1 -type f '(' {mine} ')' -exec "
        f"chown -h {place.user} '{{}}' +; mkdir -p {quote(str(place.out))}; chown -hR {place.user} "
        f"{quote(str(place.out))}; systemctl daemon-reload; systemctl enable --now "
        f"{DAEMON}. nginx passes /netboot/do/ on to 127.0.0.1:{place.port}."
    )


def _daemon(place: Place) -> str:
    start = command(
        place.program, "serve", place.inventory, place.out, "--no-dhcp", "--no-tftp",
        "--behind", str(place.port),
    )  # fmt: skip
    return f"""\
[Unit]
Description=ogLive network boot: hears what PCs report, and keeps what they boot
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User={place.user}
ExecStart={start}
Restart=on-failure
RestartSec=3
LimitNOFILE=8192
MemoryMax=1G
TasksMax=128
{_folders(place)}CapabilityBoundingSet=
IPAddressDeny=any
IPAddressAllow=localhost
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
ProcSubset=pid
{_SANDBOX}
[Install]
WantedBy=multi-user.target
"""


def _render(place: Place) -> str:
    return f"""\
[Unit]
Description=ogLive network boot: write what PCs boot, where no {DAEMON} runs

[Service]
Type=oneshot
User={place.user}
ExecStart={command(place.program, "render", place.inventory, place.out, "--minutely")}
{_folders(place)}CapabilityBoundingSet=
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
ProcSubset=pid
{_SANDBOX}"""


def _path(place: Place) -> str:
    assigned = keeping.beside(place.inventory, "assigned.json")
    return f"""\
[Unit]
Description=ogLive network boot: watch the inventory and what is assigned
Conflicts={DAEMON}

[Path]
PathChanged={rest_of_line(place.inventory)}
PathChanged={rest_of_line(assigned)}
Unit={RENDER}

[Install]
WantedBy=multi-user.target
"""


_TIMER = f"""\
[Unit]
Description=ogLive network boot: what is assigned begins and ends by the clock
Conflicts={DAEMON}

[Timer]
OnCalendar=minutely
AccuracySec=1s
Unit={RENDER}

[Install]
WantedBy=timers.target
"""


def _dnsmasq(place: Place) -> str:
    start = command(
        "/usr/sbin/dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file=",
        "--user=", "--group=", f"--conf-file={place.out / 'dnsmasq.conf'}",
        f"--dhcp-leasefile=/var/lib/{_LEASES}/leases",
    )  # fmt: skip
    return f"""\
# Debian's dnsmasq with what `ognetboot` renders; after a change of DHCP: systemctl restart dnsmasq
[Unit]
Wants=network-online.target
After=network-online.target {DAEMON}
StartLimitIntervalSec=0

[Service]
Type=exec
PIDFile=
ExecStartPre=
ExecStart=
ExecStart={start}
ExecStartPost=
ExecStop=
ExecReload=
Restart=on-failure
RestartSec=3
User=dnsmasq
StateDirectory={_LEASES}
AmbientCapabilities={_RIGHTS}
CapabilityBoundingSet={_RIGHTS}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET
ProtectHome={"read-only" if in_home(place.out) else "yes"}
{_SANDBOX}"""


_NGINX = f"""\
# nginx passes /netboot/do/ on to {DAEMON}; it starts without it, too: PCs boot all the same.
[Unit]
Wants={DAEMON}
After={DAEMON}
"""


def _folders(place: Place) -> str:
    """What it may write: beside the inventory, and beside the tree, which changes as a whole."""
    written = dict.fromkeys((place.inventory.parent, place.out.parent))
    lines = [f"ReadWritePaths={word(path)}\n" for path in written]
    at_home = [path for path in (*place.code, *written) if in_home(path)]
    lines.append(f"ProtectHome={'tmpfs' if at_home else 'yes'}\n")
    lines += [
        f"{'BindPaths' if path in written else 'BindReadOnlyPaths'}={word(path)}\n"
        for path in dict.fromkeys(at_home)
    ]
    return "".join(lines)
