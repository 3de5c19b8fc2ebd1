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

REPOSITORY = "ogrepo.service"
DNSMASQ = "oglive-dnsmasq.service"
NETBOOT = "oglive-netboot.service"
WATCH = "oglive-netboot.path"
VERIFY = "oglive-verify.service"
VERIFY_TIMER = "oglive-verify.timer"
# What systemd starts at each boot; NETBOOT is started by WATCH and once at boot.
ENABLED = (NETBOOT, WATCH, REPOSITORY, DNSMASQ, VERIFY_TIMER)
ALL = (*ENABLED, VERIFY)
LEASES = "oglive-dnsmasq"

# What is proven where the file of options says nothing else.
VERIFY_WORDS = "--due 30 --rate 50"

_MARK = "# ogrepo install: "
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_PRIVILEGED_PORTS = 1024

_SANDBOX = """\
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
"""


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


def in_home(path: Path) -> bool:
    """Whether a service that may see no home would not find it."""
    return any(path.is_relative_to(home) for home in _HOMES)


def _word(path: Path | str) -> str:
    """A path as one word of a unit: systemd's quoting and specifiers."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if any(char.isspace() or char in "\"'" for char in text) else text


def _watched(path: Path) -> str:
    """What is watched is the rest of its line, quotes and blanks included."""
    return str(path).replace("%", "%%")


def _command(*words: Path | str) -> str:
    return " ".join(_word(word).replace("$", "$$") for word in words)


def _homes(program: Program, folder: Path, *read: Path) -> str:
    """Homes are hidden but for the program and what is served, where they lie in one."""
    shown_paths = (*program.roots, *(path for path in read if in_home(path)))
    shown = [f"BindReadOnlyPaths={_word(path)}\n" for path in shown_paths]
    if in_home(folder):
        shown.append(f"BindPaths={_word(folder)}\n")
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
EnvironmentFile=-{_watched(wanted.options_file)}
ExecStart={_command(program.ogrepo, "serve", wanted.folder, "--port", str(port))} $OGREPO_SERVE
Restart=on-failure
RestartSec=3
LimitNOFILE=65536
ReadWritePaths={_word(wanted.folder)}
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
ExecStart={_command(*words)}
Restart=on-failure
RestartSec=3
StateDirectory={LEASES}
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET
{_homes(replace(program, roots=()), Path("/"), wanted.folder)}{_SANDBOX}
[Install]
WantedBy=multi-user.target
"""


def _netboot(wanted: InstallRequest, program: Program) -> str:
    site, render = (_command(*argv) for argv in netboot_commands(wanted, program.ognetboot))
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
ReadWritePaths={_word(wanted.folder)}
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
    lines = "".join(f"PathChanged={_watched(path)}\n" for path in watched)
    return f"""\
[Unit]
Description=Watch the inventory of ogLive, its policy and its keys

[Path]
{lines}
[Install]
WantedBy=multi-user.target
"""


def _verify(wanted: InstallRequest, program: Program) -> str:
    return f"""\
[Unit]
Description=Prove the images of ogLive's repository that were not for longest

[Service]
Type=oneshot
User={wanted.user}
Environment="OGREPO_VERIFY={VERIFY_WORDS}"
EnvironmentFile=-{_watched(wanted.options_file)}
ExecStart={_command(program.ogrepo, "verify", wanted.folder, "--all")} $OGREPO_VERIFY
Nice=19
CPUSchedulingPolicy=idle
IOSchedulingClass=idle
ReadWritePaths={_word(wanted.folder)}
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
