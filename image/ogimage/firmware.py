# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the firmware that wired network drivers name with what the first stage holds.

Reads the first-stage tree of the last build and Debian's list of files; changes nothing.
"""

import argparse
import fnmatch
import gzip
import re
import urllib.request
from pathlib import Path

from ogimage.hostsetup import RELEASE, host_mirrors
from ogimage.mkosi import WORK_DIR
from ogimage.shell import BuildError, output, report


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks the firmware of wired network drivers.")
    parser.add_argument("--verbose", action="store_true", help="print what is in, too")
    verbose = parser.parse_args().verbose
    try:
        return _check(WORK_DIR / "first-stage", verbose=verbose)
    except BuildError as error:
        return report(error)


def _check(tree: Path, *, verbose: bool) -> int:
    modules = sorted((tree / "usr/lib/modules").glob("*/kernel/drivers/net/**/*.ko"))
    if not modules:
        raise BuildError(f"no first stage in {tree}", "run `image/build --fresh`")
    shipped = _shipped_by_debian()
    present = [
        str(p.relative_to(tree / "usr/lib/firmware"))
        for p in (tree / "usr/lib/firmware").rglob("*")
        if not p.is_dir()
    ]
    named = left_out = 0
    for module in modules:
        for name in output(["modinfo", "-F", "firmware", module]).split():
            named += 1
            packages = {p for file, p in shipped.items() if fnmatch.fnmatchcase(file, name)}
            if fnmatch.filter(present, name):
                state = "in"
            elif packages:
                state = f"LEFT OUT, though Debian ships it in {', '.join(sorted(packages))}"
                left_out += 1
            else:
                state = "not in Debian"
            if verbose or state != "in":
                print(f"{module.stem:20} {name:50} {state}")
    print(f"{len(modules)} wired modules name {named} firmware files; {left_out} left out")
    return 1 if left_out else 0


def _shipped_by_debian() -> dict[str, str]:
    """Firmware file to package, of non-free-firmware.

    Of main there is one package with firmware of network cards, firmware-linux-free; the first
    stage installs it whole, and its list of files would be thirty megabytes.
    """
    address = f"{host_mirrors()['main']}/dists/{RELEASE}/non-free-firmware/Contents-all.gz"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 (the host's mirror)
            text = gzip.decompress(answer.read()).decode()
    except OSError as error:
        raise BuildError(f"{address} cannot be read: {error}", "is the mirror there?") from error
    # "usr/lib/firmware/bnx2/x.fw          non-free-firmware/kernel/firmware-bnx2"
    rows = re.findall(r"^usr/lib/firmware/(\S+)\s+(\S+)$", text, re.MULTILINE)
    return {file: packages.replace("non-free-firmware/kernel/", "") for file, packages in rows}
