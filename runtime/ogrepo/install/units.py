# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd units, as text. Pure.

Each ends in a line with the digest of the rest: a unit whose digest is right was never edited and
may be replaced; any other one is an administrator's. Changes belong into drop-ins
(``systemctl edit``), which outlive both.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from ogrepo.install.model import InstallRequest, Program
from ogunits import SANDBOX, command, in_home, rest_of_line, word

REPOSITORY = "ogrepo.service"
DNSMASQ = "oglive-dnsmasq.service"
NETBOOT = "oglive-netboot.service"
WATCH = "oglive-netboot.path"
VERIFY = "oglive-verify.service"
VERIFY_TIMER = "oglive-verify.timer"
# What systemd starts at each boot; NETBOOT is started by WATCH and once at boot.
ENABLED = (NETBOOT, WATCH, REPOSITORY, DNSMASQ, VERIFY_TIMER)
ALL = (*ENABLED, VERIFY)
# Texts of `ognetboot`, for a site that has an inventory of its own: the daemon hears PCs and keeps
# what they boot; a site that wants none enables path and timer in its place.
DAEMON = "ognetboot.service"
KEEPING = (
    DAEMON,
    "ognetboot-render.service",
    "ognetboot-render.path",
    "ognetboot-render.timer",
)
LEASES = "oglive-dnsmasq"

# What is proven where the file of options says nothing else.
VERIFY_WORDS = "--due 30 --rate 50"

_MARK = "# ogrepo install: "
_PRIVILEGED_PORTS = 1024

# MemoryMax would count what the kernel keeps of images for all PCs, and forty of them would read
# from the disk what is in memory now: the server's own memory is bounded instead.
_SERVER_LIMITS = """\
LimitDATA=4G
LimitCORE=0
TasksMax=512
"""
# Here that count is welcome: what is read once does not push out what PCs are reading.
_SMALL_LIMITS = """\
MemoryMax=2G
MemorySwapMax=0
LimitCORE=0
TasksMax=128
"""

# A service may raise its own limit of open files (@resources). Giving a file to its own user is no
# privilege, and without the capability nobody gives one to another.
_CALLS = """\
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallFilter=@chown
"""
_SANDBOX = SANDBOX + _CALLS


def texts(wanted: InstallRequest, program: Program, port: int) -> dict[str, str]:
    """Name and content of every unit."""
    bodies = {
        REPOSITORY: _repository(wanted, program, port),
        DNSMASQ: _dnsmasq(wanted, program),
        NETBOOT: _netboot(wanted, program),
        WATCH: _watch(wanted),
        VERIFY: _verify(wanted, program),
        VERIFY_TIMER: _verify_timer(),
    }
    return {name: signed(body) for name, body in bodies.items()}


def signed(body: str) -> str:
    """The text with the line that says it is ours, unedited."""
    return f"{body}{_MARK}{hashlib.sha256(body.encode()).hexdigest()[:32]}\n"


def is_unedited(text: str) -> bool:
    """Whether this is what some ``ogrepo install`` wrote."""
    body, mark, _ = text.rpartition(_MARK)
    return bool(mark) and signed(body) == text


def _homes(program: Program, folder: Path, *read: Path) -> str:
    """Homes are hidden but for the program and what is served, where they lie in one."""
    shown_paths = (*program.roots, *(path for path in read if in_home(path)))
    shown = [f"BindReadOnlyPaths={word(path)}\n" for path in shown_paths]
    if in_home(folder):
        shown.append(f"BindPaths={word(folder)}\n")
    return f"ProtectHome={'tmpfs' if shown else 'yes'}\n{''.join(shown)}"


def _repository(wanted: InstallRequest, program: Program, port: int) -> str:
    needed = "CAP_NET_BIND_SERVICE" if port < _PRIVILEGED_PORTS else ""
    return f"""\
[Unit]
Description=ogLive's repository: images and boot files over HTTP
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User={wanted.user}
EnvironmentFile=-{rest_of_line(wanted.options_file)}
ExecStart={command(program.ogrepo, "serve", wanted.folder, "--port", str(port))} $OGREPO_SERVE
Restart=on-failure
RestartSec=3
LimitNOFILE=65536
{_SERVER_LIMITS}ReadWritePaths={word(wanted.folder)}
{_homes(program, wanted.folder)}CapabilityBoundingSet={needed}
AmbientCapabilities={needed}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
{_SANDBOX}
[Install]
WantedBy=multi-user.target
"""


def _dnsmasq(wanted: InstallRequest, program: Program) -> str:
    config = wanted.folder / "netboot/dnsmasq.conf"
    words = (
        program.dnsmasq,
        "--keep-in-foreground",
        "--log-facility=-",
        "--pid-file=",
        f"--dhcp-leasefile=/var/lib/{LEASES}/leases",
        f"--conf-file={config}",
    )
    return f"""\
[Unit]
Description=ogLive's DHCP and TFTP for PCs that boot from the network
Wants=network-online.target
After=network-online.target {NETBOOT}
StartLimitIntervalSec=0

[Service]
DynamicUser=yes
ExecStart={command(*words)}
Restart=on-failure
RestartSec=3
StateDirectory={LEASES}
{_SMALL_LIMITS}CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET
{_homes(replace(program, roots=()), Path("/"), wanted.folder)}{_SANDBOX}
[Install]
WantedBy=multi-user.target
"""


def _netboot(wanted: InstallRequest, program: Program) -> str:
    site, render = (command(*argv) for argv in netboot_commands(wanted, program.ognetboot))
    # It starts after this unit: waiting for it here would never end.
    systemctl = program.systemctl or Path("/usr/bin/systemctl")
    restart = f"ExecStartPost=-+{systemctl} --no-block try-restart {DNSMASQ}"
    return f"""\
[Unit]
Description=Check the inventory of ogLive and write what PCs boot
StartLimitIntervalSec=0

[Service]
Type=oneshot
User={wanted.user}
ExecStart={site}
ExecStart={render}
{restart}
{_SMALL_LIMITS}ReadWritePaths={word(wanted.folder)}
{_homes(program, wanted.folder, wanted.inventory_file, wanted.site)}CapabilityBoundingSet=
RestrictAddressFamilies=AF_UNIX
{_SANDBOX}
[Install]
WantedBy=multi-user.target
"""


def _watch(wanted: InstallRequest) -> str:
    oglive = wanted.site / "etc/oglive"
    watched = (wanted.inventory_file, oglive, oglive / "policy.toml", oglive / "ca.pem",
               wanted.folder / "keys")  # fmt: skip
    lines = "".join(f"PathChanged={rest_of_line(path)}\n" for path in watched)
    return f"""\
[Unit]
Description=Watch the inventory of ogLive, its policy and its keys

[Path]
{lines}
[Install]
WantedBy=multi-user.target
"""


def inventory_watched(text: str) -> Path | None:
    """The inventory that a unit WATCH is about; None where it is none of ours."""
    for line in text.splitlines():
        key, mark, path = line.partition("=")
        if key == "PathChanged" and mark:
            return Path(path.replace("%%", "%"))
    return None


def _verify(wanted: InstallRequest, program: Program) -> str:
    return f"""\
[Unit]
Description=Prove the images of ogLive's repository that were not for longest

[Service]
Type=oneshot
User={wanted.user}
Environment="OGREPO_VERIFY={VERIFY_WORDS}"
EnvironmentFile=-{rest_of_line(wanted.options_file)}
ExecStart={command(program.ogrepo, "verify", wanted.folder, "--all")} $OGREPO_VERIFY
Nice=19
CPUSchedulingPolicy=idle
IOSchedulingClass=idle
{_SMALL_LIMITS}PrivateNetwork=yes
ReadWritePaths={word(wanted.folder)}
{_homes(program, wanted.folder)}CapabilityBoundingSet=
RestrictAddressFamilies=AF_UNIX
{_SANDBOX}"""


def _verify_timer() -> str:
    return """\
[Unit]
Description=Every night: prove images of ogLive's repository

[Timer]
OnCalendar=*-*-* 02:30
RandomizedDelaySec=30min
Persistent=yes

[Install]
WantedBy=timers.target
"""


def netboot_commands(
    wanted: InstallRequest, ognetboot: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What writes the site overlay, and what writes the menus, loaders and dnsmasq's settings."""
    folder = wanted.folder
    overlay = ("site", wanted.site, folder / "oglive/site.cpio", "--keys", folder / "keys")
    render = ("render", wanted.inventory_file, folder / "netboot")
    return (
        (str(ognetboot), *map(str, overlay)),
        (str(ognetboot), *map(str, render)),
    )
