# SPDX-License-Identifier: GPL-3.0-or-later
"""Host packages, mkosi, and apt sources for mkosi. Writes .tools/ and installs Debian packages.

Must not name a mirror: addresses are taken from `apt-get indextargets`: what the host uses, and so
is the way to them (proxy, CA of the site), from `apt-config dump` and pip's own settings.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ogimage import debs, netloaders
from ogimage.debs import KEYRING
from ogimage.paths import MKOSI_DIR, PROJECT_DIR, SANDBOX_TREE
from ogimage.shell import BuildError, environment, logging_to, output, report, run, say

RELEASE = "trixie"
MKOSI_MINIMUM = 25

# What the build scripts start on the host itself; everything else comes from mkosi's tools tree.
HOST_PACKAGES = {
    "apt": "/usr/bin/apt-get",
    "debian-archive-keyring": str(KEYRING),
    "dosfstools": "/usr/sbin/mkfs.vfat",
    "e2fsprogs": "/usr/sbin/mke2fs",
    "fdisk": "/usr/sbin/sfdisk",
    "mtools": "/usr/bin/mcopy",
    "kmod": "/usr/bin/kmod",
    "util-linux": "/usr/bin/unshare",
}


def main() -> int:
    with logging_to("image-setup"):
        try:
            ready()
        except BuildError as error:
            return report(error)
    return 0


def ready() -> None:
    """Makes this machine able to build; quick when it is."""
    pass_certificates_to_pip()
    install_host_packages()
    mirrors = host_mirrors()
    write_sources(mirrors)
    write_apt_settings()
    if not mkosi_is_there():
        unpack_mkosi(mirrors["main"])
    netloaders.ready(mirrors["main"], RELEASE)


def install_host_packages() -> None:
    missing = [name for name, file in HOST_PACKAGES.items() if not Path(file).exists()]
    if not missing:
        return
    if os.geteuid() != 0:
        raise BuildError(f"packages are missing: {' '.join(missing)}", "run `make setup` as root")
    say(f"installing {' '.join(missing)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "update"])
    run(["apt-get", "-qy", "--no-install-recommends", "install", *missing], env=quiet)


def host_mirrors() -> dict[str, str]:
    """Addresses of Debian's archive ("main") and, where the host has one, "security"."""
    # e.g. "http://mirror/debian/ bookworm-updates Debian main"
    listing = output(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(ORIGIN) $(COMPONENT)",
            "Created-By: Packages",
        ]
    )
    return mirrors_of(listing.splitlines())


def mirrors_of(targets: Iterable[str]) -> dict[str, str]:
    """From lines ``URI SUITE ORIGIN COMPONENT`` to the archive's addresses.

    A list of mirrors in a file of this machine (``mirror+file:``, as Debian's cloud images have it)
    gives its first mirror: mkosi's sandbox does not see the file. Media and folders of this
    machine it does not see either; they are left out.
    """
    found: dict[str, str] = {}
    unusable: set[str] = set()
    for line in targets:
        fields = line.rsplit(maxsplit=3)
        if len(fields) < 4 or fields[2] != "Debian" or fields[3] != "main":
            continue
        key = _archive(fields[1])
        uri = _reachable(fields[0])
        if uri is None:
            unusable.add(fields[0])
        elif key is not None:
            found.setdefault(key, uri)
    if "main" not in found:
        raise BuildError(
            "the host's apt sources name no Debian archive on the network"
            + (f", only {' '.join(sorted(unusable))}" if unusable else ""),
            "run `apt-get update` and look at `apt-get indextargets`",
        )
    return found


def _archive(suite: str) -> str | None:
    if suite.endswith("-security"):
        return "security"
    return "main" if re.fullmatch(r"[a-z]+(-updates)?", suite) else None


def _reachable(uri: str) -> str | None:
    """The address as mkosi's sandbox can use it; None for what lies on this machine alone."""
    scheme = uri.partition(":")[0]
    if scheme in ("mirror+file", "mirror+copy"):
        return _first_mirror(Path(unquote(urlsplit(uri).path)))
    on_network = scheme.split("+")[-1] in ("http", "https", "ftp") or scheme == "mirror"
    return uri.rstrip("/") if on_network else None


def _first_mirror(listing: Path) -> str:
    """The best mirror of a list, apt-transport-mirror(1): ``URI [priority:N]...`` a line."""
    try:
        lines = listing.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(
            f"apt's list of mirrors {listing} cannot be read: {error}", "mend the apt sources"
        ) from error
    rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    usable = [row for row in rows if row[0].partition(":")[0] in ("http", "https", "ftp")]
    if not usable:
        raise BuildError(
            f"apt's list of mirrors {listing} names none on the network", "mend the apt sources"
        )
    return min(usable, key=_priority)[0].rstrip("/")


def _priority(row: Sequence[str]) -> int:
    """1 is asked first; a mirror without one comes last."""
    numbers = (re.fullmatch(r"priority:(\d+)", word) for word in row[1:])
    return min((int(number[1]) for number in numbers if number), default=1 << 31)


def write_sources(mirrors: dict[str, str]) -> None:
    """Writes mkosi.sources; mkosi's own list wants a -debug suite, which many mirrors lack."""
    stanzas = [_stanza(mirrors["main"], f"{RELEASE} {RELEASE}-updates")]
    if "security" in mirrors:
        stanzas.append(_stanza(mirrors["security"], f"{RELEASE}-security"))
    target = SANDBOX_TREE / "etc/apt/sources.list.d/mkosi.sources"
    text = "\n".join(stanzas)
    if target.exists() and target.read_text() == text:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def write_apt_settings() -> None:
    """Hands the host's way to the mirrors on: apt of the sandbox reads nothing else of the host."""
    target = SANDBOX_TREE / "etc/apt/apt.conf.d/80host"
    certificates = SANDBOX_TREE / "etc/apt/host-ca.pem"
    settings = network_settings(output(["apt-config", "dump"]).splitlines())
    proxies = {}
    for kind in ("http", "https"):
        program = settings.pop(f"Acquire::{kind}::Proxy-Auto-Detect", "")
        if program and f"Acquire::{kind}::Proxy" not in settings:
            proxies[f"Acquire::{kind}::Proxy"] = _detected_proxy(program, kind)
    settings |= {key: value for key, value in proxies.items() if value}
    files = sorted({value for key, value in settings.items() if _is_ca(key)})
    if files:
        joined = b"\n".join(_certificate(Path(name)) for name in files)
        settings |= dict.fromkeys(filter(_is_ca, settings), "/etc/apt/host-ca.pem")
        _write(certificates, joined)
    else:
        certificates.unlink(missing_ok=True)
    if settings:
        text = "".join(f'{key} "{value}";\n' for key, value in sorted(settings.items()))
        _write(target, text.encode())
    else:
        target.unlink(missing_ok=True)


# Proxies (also for one host only), the CA, and the limits of a slow way.
_NETWORK = re.compile(
    r"Acquire::(?:http|https)::"
    r"(?:Proxy(?:::[A-Za-z0-9._-]+)?|Proxy-?Auto-?Detect|CaInfo|Verify-Peer|Verify-Host)"
    r"|Acquire::Retries",
    re.IGNORECASE,
)


def network_settings(dump: Iterable[str]) -> dict[str, str]:
    """Of ``apt-config dump`` what says how a mirror is reached; apt's names, as it spells them."""
    found = {}
    for line in dump:
        match = re.fullmatch(r'(\S+) "(.*)";', line)
        if not match or not match[2] or not _NETWORK.fullmatch(match[1]):
            continue
        words = match[1].split("::")
        if words[2:3] and words[2].lower().startswith("proxyauto"):
            words[2] = "Proxy-Auto-Detect"
        found["::".join(words)] = match[2]
    return found


def _is_ca(key: str) -> bool:
    return key.lower().endswith("::cainfo")


def _certificate(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"apt's CA file {path} cannot be read: {error.strerror}",
            "mend Acquire::https::CaInfo in /etc/apt/apt.conf.d",
        ) from error


def _detected_proxy(program: str, kind: str) -> str:
    """What the host's program says for its archive; apt asks it with the address as argument."""
    said = output([program, f"{kind}://deb.invalid/debian"]).strip()
    return "" if said in ("", "DIRECT") else said


def _write(path: Path, content: bytes) -> None:
    """Only when it differs, so that nothing is built again for it; a proxy may hold a password."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def pass_certificates_to_pip() -> None:
    """pip knows PIP_CERT and its configuration, but an older one not SSL_CERT_FILE."""
    bundle = certificates_for_pip(os.environ, _pip_config())
    if bundle:
        os.environ["PIP_CERT"] = bundle


def certificates_for_pip(env: Mapping[str, str], config: str) -> str:
    """What PIP_CERT shall be; empty where pip finds its CA itself. ``config``: its own listing."""
    if env.get("PIP_CERT") or re.search(r"^(global|install|download|:env:)\.cert=", config, re.M):
        return ""
    return env.get("SSL_CERT_FILE", "")


def _pip_config() -> str:
    python = PROJECT_DIR / ".venv/bin/python"
    if not python.exists():
        return ""
    done = subprocess.run(
        [python, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    return done.stdout


def _stanza(uri: str, suites: str) -> str:
    return (
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\n"
        f"Components: main non-free-firmware\nSigned-By: {KEYRING}\n"
    )


def mkosi_command() -> list[str]:
    """How to start mkosi: the host's when new enough, else the unpacked package."""
    host = shutil.which("mkosi")
    if host and _version([host]) >= MKOSI_MINIMUM:
        return [host]
    module_dir = MKOSI_DIR / "usr/lib/python3/dist-packages"
    return ["/usr/bin/env", f"PYTHONPATH={module_dir}", "/usr/bin/python3", "-m", "mkosi"]


def mkosi_is_there() -> bool:
    return _version(mkosi_command()) >= MKOSI_MINIMUM


def _version(command: list[str]) -> int:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"mkosi (\d+)", done.stdout)  # "mkosi 25.3"
    return int(found[1]) if found else 0


def unpack_mkosi(mirror: str) -> None:
    """Fetches the package; the host's may be too old, or none."""
    say(f"fetching mkosi from {RELEASE}")
    debs.unpack(mirror, RELEASE, ["mkosi"], MKOSI_DIR)
    if not mkosi_is_there():
        raise BuildError(f"mkosi from {RELEASE} does not start", f"try {mkosi_command()} --version")
