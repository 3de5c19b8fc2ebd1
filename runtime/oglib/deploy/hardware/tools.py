# SPDX-License-Identifier: GPL-3.0-or-later
"""How each distribution's own program makes an initramfs that is for any PC, in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from oglib.fitting.edits import Files
from oglib.sandbox import DAC_OVERRIDE, Sandbox

MADE = "initramfs"  # in the scratch folder
_LIMIT_S = 1800.0  # a slow PC, and all drivers there are; on a usual one it is seconds
_COPY_LIMIT_S = 120.0
_CONFIG = "/etc/initramfs-tools"
_COPY = "/tmp/oglive"  # noqa: S108 - in the sandbox, as all that follow
_OURS = "oglive.conf"
_CP, _MKDIR = "/bin/cp", "/bin/mkdir"


@dataclass(frozen=True, slots=True)
class Making:
    """For which kernel, of which filesystem's root, and the swap it wakes up from (or ``none``)."""

    kernel: str
    kind: str
    resume: str


@dataclass(frozen=True, slots=True)
class Tool:
    """``programs``: where it may be; ``helpers``: what we run of the system besides."""

    name: str
    programs: tuple[str, ...]
    make: Callable[[Sandbox, str, Making], None]
    helpers: tuple[str, ...] = ()

    def program_of(self, root: Files) -> str:
        """Its program in this system; empty where it is not installed."""
        return next((path for path in self.programs if root.exists(path)), "")


def _initramfs_tools(box: Sandbox, program: str, making: Making) -> None:
    """The site's configuration is copied, never changed: what is ours comes last and wins.

    Its ``fsck`` hook takes the kind of the root from ``FSTYPE``, for it sees no device here. What
    it would take for the swap to wake up from is this PC's: where the site did not say, we do.
    """
    (box.scratch / _OURS).write_text(
        f"MODULES=most\nFSTYPE={making.kind}\n"
        f'case "${{RESUME:-auto}}" in auto) RESUME={making.resume} ;; esac\n'
    )
    steps = (
        (_CP, "-R", _CONFIG, _COPY),
        (_MKDIR, "-p", f"{_COPY}/conf.d"),
        (_CP, f"/tmp/{_OURS}", f"{_COPY}/conf.d/zz-oglive"),  # noqa: S108
    )
    for words in steps:
        box.run(*words, timeout_s=_COPY_LIMIT_S)
    box.run(program, "-d", _COPY, "-o", f"/tmp/{MADE}", making.kernel, timeout_s=_LIMIT_S)  # noqa: S108


def _dracut(box: Sandbox, program: str, making: Making) -> None:
    """``--no-hostonly``: with ``hostonly`` it would look for the drivers of this very sandbox."""
    words = (
        program, "--force", "--no-hostonly", "--no-hostonly-cmdline",
        "--tmpdir", "/tmp",  # noqa: S108
        f"/tmp/{MADE}", making.kernel,  # noqa: S108
    )  # fmt: skip
    box.run(*words, timeout_s=_LIMIT_S, capabilities=(DAC_OVERRIDE,))


def _mkinitcpio(box: Sandbox, program: str, making: Making) -> None:
    """Without ``autodetect``, as its fallback image is made."""
    words = (
        program, "-k", making.kernel, "-g", f"/tmp/{MADE}", "-S", "autodetect",  # noqa: S108
        "-t", "/tmp",  # noqa: S108
    )  # fmt: skip
    box.run(*words, timeout_s=_LIMIT_S)


TOOLS = (
    Tool(
        "initramfs-tools",
        ("/usr/sbin/mkinitramfs",),
        _initramfs_tools,
        (_CP, _MKDIR),
    ),
    Tool(
        "dracut",
        ("/usr/bin/dracut", "/usr/sbin/dracut", "/sbin/dracut"),
        _dracut,
    ),
    Tool("mkinitcpio", ("/usr/bin/mkinitcpio", "/sbin/mkinitcpio"), _mkinitcpio),
)


def tool_of(root: Files, makers: Collection[str]) -> Tool | None:
    """What made this system's initramfs, else the one that it has; None where that is not sure."""
    there = [tool for tool in TOOLS if tool.program_of(root)]
    made = [tool for tool in there if tool.name in makers]
    found = made or there
    return found[0] if len(found) == 1 else None
