# SPDX-License-Identifier: GPL-3.0-or-later
"""Every word of a boot line that means something here: one list, for the page and for the tests.

``docs/compatibility.md`` is made from it, and a test holds each reader to it: the first stage
(``parameters.sh``), ``og`` and the old commands, the scripts that start ogLive, ``loadenviron.sh``.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST, OG, START, SCRIPTS, KERNEL = "first stage", "og", "start", "scripts", "kernel"
WORKS, BETTER, RETIRED, LATER = "works", "works better", "retired", "later"


@dataclass(frozen=True, slots=True)
class Word:
    """``NAME=VALUE``, what becomes of it, who reads it; of a retired one what is there instead."""

    name: str
    values: str
    does: str
    readers: tuple[str, ...]
    status: str = WORKS


# Those of OpenGnsys, in the order of its documentation.
OPENGNSYS = (
    Word(
        "boot",
        "oginit",
        "Nothing is to be chosen: kernel and first stage belong together. A variable for scripts.",
        (SCRIPTS,),
        RETIRED,
    ),
    Word(
        "vga",
        "788 …",
        "The screen's mode on a PC with a BIOS. With UEFI the firmware's mode stays, as before.",
        (KERNEL,),
    ),
    Word(
        "video",
        "DRIVER:MODE",
        "The kernel's own. ogLive has the drivers efifb, vesafb, simpledrm, bochs, virtio and "
        "Hyper-V's; a mode for another driver changes nothing.",
        (KERNEL,),
    ),
    Word(
        "ip",
        "ADDRESS:SERVER:GATEWAY:NETMASK:NAME:INTERFACE:none[:DNS[:DNS]], the same with dhcp, "
        "or dhcp",
        "OpenGnsys' form and the kernel's. An interface that this PC does not have is passed over; "
        "the name counts where `hostname=` is not said. What is no such value ends the start.",
        (FIRST, SCRIPTS),
        BETTER,
    ),
    Word("BOOTIF", "01-AA-BB-CC-DD-EE-FF", "The card that the firmware booted from.", (FIRST,)),
    Word(
        "og2nd",
        "sqfs, img",
        "There is one root, checked by its digest; nothing of it can be changed for good.",
        (SCRIPTS,),
        RETIRED,
    ),
    Word(
        "ogprotocol",
        "smb, nfs, local",
        "smb and nfs mount the repository's images (`ogimages`, `/opt/opengnsys/images`), and a "
        "name is looked for there first; what is not there, or stops coming from there, comes by "
        "HTTP; a failure is told and stops nothing. Without it images come by HTTP alone. ogLive "
        "itself and the site's scripts need no share.",
        (START, OG, SCRIPTS),
        BETTER,
    ),
    Word(
        "ogactiveadmin",
        "true",
        "The images' share is mounted for writing; a variable for scripts. It opens no shell: that "
        "is the profile `debug`.",
        (OG, SCRIPTS),
        BETTER,
    ),
    Word(
        "ogdebug",
        "true",
        "A shell in the first stage before the runtime starts, in the profile `debug` alone; "
        "elsewhere it is told and left out.",
        (FIRST, SCRIPTS),
        BETTER,
    ),
    Word(
        "ogupdateinitrd",
        "true",
        "Nothing is to be refreshed: a root that is not the one of its first stage is not used.",
        (SCRIPTS,),
        RETIRED,
    ),
    Word(
        "ogtmpfs",
        "MB",
        "How much may be written beside the root; half of the memory unless said, and never less "
        "than 256.",
        (FIRST, SCRIPTS),
        BETTER,
    ),
    Word(
        "oglivedir",
        "FOLDER",
        "Where ogLive's files are, below the server's HTTP root.",
        (FIRST, SCRIPTS),
    ),
    Word(
        "ogrepo",
        "HOST[:PORT], http://… or https://…",
        "The repository; without it the server.",
        (OG, START, SCRIPTS),
        BETTER,
    ),
    Word(
        "oglive",
        "HOST[:PORT]",
        "The server that ogLive comes from; without it the one that DHCP or `ip=` names.",
        (FIRST, OG, SCRIPTS),
    ),
    Word(
        "oglog",
        "HOST[:PORT]",
        "The journal goes there as syslog (RFC 5424, UDP, port 514). It was a share for log files.",
        (START, SCRIPTS),
        BETTER,
    ),
    Word(
        "ogshare",
        "HOST",
        "There is no share of programs: what a site adds comes with its overlay.",
        (SCRIPTS,),
        RETIRED,
    ),
    Word("ogunit", "NAME", "The folder of an OU in the images' share.", (OG, SCRIPTS)),
    Word("group", "NAME", "The room; etc/init/NAME.sh of the site runs.", (OG, START, SCRIPTS)),
    Word("hostname", "NAME", "This PC's name.", (FIRST, OG, SCRIPTS)),
    Word("ogprof", "true", "The teacher's PC: a variable for scripts.", (SCRIPTS,)),
    Word("hardprofile", "NAME", "A variable for scripts.", (SCRIPTS,)),
    Word(
        "ogstatus",
        "online, offline",
        "offline: no repository is waited for, and an ogLive that has its root with it (the "
        "one-file variant) starts without a network.",
        (FIRST, START, SCRIPTS),
        BETTER,
    ),
    Word(
        "oginit",
        "PROGRAM",
        "What starts is ogLive's own; a site adds etc/init/*.sh or units in its overlay.",
        (SCRIPTS,),
        RETIRED,
    ),
    Word(
        "ognetmodule",
        "MODULE[,MODULE]",
        "Drivers that are loaded before the network card is looked for.",
        (FIRST, SCRIPTS),
    ),
    Word("ogdns", "ADDRESS[,ADDRESS]", "Name servers instead of DHCP's.", (FIRST, SCRIPTS)),
    Word(
        "ogproxy",
        "URL",
        "`http_proxy` of scripts and what they call. `og` asks repositories directly.",
        (SCRIPTS,),
    ),
    Word(
        "ogntp",
        "HOST[,HOST]",
        "Time servers. Without one the clock is set by what the server that ogLive comes from says "
        "(a minute off is too much); the clock chip is never written.",
        (FIRST, START, SCRIPTS),
        BETTER,
    ),
    Word(
        "LANG",
        "es_ES, ca_ES, en_GB …",
        "The screen speaks Spanish, Catalan or English; scripts get their messages.",
        (FIRST, OG, SCRIPTS),
        BETTER,
    ),
    Word("TZ", "Europe/Madrid …", "The time zone.", (FIRST, SCRIPTS)),
    Word(
        "winboot",
        "kexec",
        "A Windows is started by the firmware or its own boot code, never by a kernel.",
        (SCRIPTS,),
        RETIRED,
    ),
    Word("ogengine", "EXTENSION", "Further functions: lib/engine/bin/*.EXTENSION.", (SCRIPTS,)),
    Word("engine", "VERSION", "A variable for scripts.", (SCRIPTS,)),
    *(
        Word(
            name,
            "true, false",
            "A variable for scripts; synchronised images, which it steers, are not there yet.",
            (SCRIPTS,),
            LATER,
        )
        for name in ("ogrsyncw", "ogrsyncz", "ogrsyncdel")
    ),
)

# ogLive's own, written by ognetboot.
OURS = (
    Word("ogroot", "http://…", "The root's address, where it is not `oglivedir`.", (FIRST,)),
    Word("ogrootsha256", "DIGEST", "Ends the start where the first stage names another.", (FIRST,)),
    Word("keyboard", "es, us, fr …", "The keyboard; by LANG unless said.", (FIRST,)),
    Word("ogjob", "JOB", "What this PC does as soon as it is ready.", (OG, START)),
    Word(
        "ogmirrors",
        "http://HOST[:PORT][,…]",
        "Who is asked for an image's bytes before the repository, in this order; a folder of this "
        "PC may be one.",
        (OG,),
    ),
    Word("oglayout", "NAME", "The layout of a job.", (OG,)),
    Word(
        "ogmethod",
        "UNICAST-CACHE, UNICAST-DIRECT, MULTICAST-CACHE …",
        "How images come to this PC, where a job or a command says nothing else.",
        (OG, SCRIPTS),
    ),
    Word(
        "ogmcast",
        "PORT:MODE:ADDRESS:SPEED:CLIENTS:TIMEOUT",
        "The multicast session of this PC: a variable for scripts.",
        (SCRIPTS,),
    ),
    Word(
        "ogtorrent",
        "MODE:SECONDS",
        "How this PC shares an image that it got by torrent: a variable for scripts.",
        (SCRIPTS,),
    ),
    Word("ogafter", "stay, reboot, poweroff", "What comes after a job.", (OG,)),
    Word("ogdisk.NAME", "DISK", "Which disk a rule means.", (OG,)),
    Word("ogentry", "NAME", "The boot entry, for the report that it was reached.", (START,)),
    Word("ogstamp", "TEXT", "Which writing of the boot files it was, for the same.", (START,)),
)

WORDS = (*OPENGNSYS, *OURS)


def names(reader: str) -> set[str]:
    """What this reader takes."""
    return {word.name for word in WORDS if reader in word.readers}


def retired() -> set[str]:
    """What the first stage says that it has no use for; `boot` stands in every old template."""
    return {word.name for word in WORDS if word.status == RETIRED and word.name != "boot"}


INTRODUCTION = """\
## The boot line

Kernel parameters keep OpenGnsys' names. Each is read by allow-list and judged by its shape: a value
that it cannot have is never used, and told on the screen; where the start stands on it (`ip`,
`oglive`, `oglivedir`, `ogroot`) the start ends with a text. Those that are *retired* are told as
well, and change nothing. Scripts that read `loadenviron.sh` get all of OpenGnsys' names as
variables, but for values that a careless script could take for code. `ro`, `quiet`, `splash`,
`irqpoll`, `acpi=` and all others are the kernel's own.

"""


def table() -> str:
    """The part of docs/compatibility.md about these words."""
    parts = [INTRODUCTION]
    for title, words in (("OpenGnsys' names", OPENGNSYS), ("ogLive's own", OURS)):
        head = [
            f"### {title}",
            "",
            "| Parameter | Values | Status | What it does |",
            "|---" * 4 + "|",
        ]
        rows = [
            f"| `{word.name}` | {word.values} | {word.status} | {word.does} |" for word in words
        ]
        parts.append("\n".join([*head, *rows]) + "\n\n")
    return "".join(parts)
