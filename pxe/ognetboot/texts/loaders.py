# SPDX-License-Identifier: GPL-3.0-or-later
"""The loader programs of the distribution: which file of which package, served under which name.

Nothing is built or signed here; the files are Debian's own, byte for byte.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ognetboot.errors import NetbootError

# Where Debian's packages put them.
DEBIAN_LIBRARY = Path("/usr/lib")


@dataclass(frozen=True, slots=True)
class Loader:
    """`name` in the tree, `source` below /usr/lib, and the package that brings it."""

    name: str
    source: str
    package: str


LOADERS = (
    Loader("undionly.kpxe", "ipxe/undionly.kpxe", "ipxe"),
    Loader("snponly.efi", "ipxe/snponly.efi", "ipxe"),
    Loader("ipxe.efi", "ipxe/ipxe.efi", "ipxe"),
    Loader(
        "disk.efi",
        "grub/x86_64-efi/monolithic/grubnetx64-installer.efi",
        "grub-efi-amd64-bin",
    ),
    Loader("shimx64.efi", "shim/shimx64.efi.signed", "shim-signed"),
    # shim loads its second stage by this name.
    Loader("grubx64.efi", "grub/x86_64-efi-signed/grubnetx64.efi.signed", "grub-efi-amd64-signed"),
)


def read_loaders(needed: Collection[str], library: Path = DEBIAN_LIBRARY) -> dict[str, bytes]:
    """Content of every installed loader by its name; a needed one that is missing is an error."""
    found: dict[str, bytes] = {}
    for loader in LOADERS:
        path = library / loader.source
        try:
            found[loader.name] = path.read_bytes()
        except FileNotFoundError:
            if loader.name in needed:
                raise NetbootError(
                    f"{path} is missing, and this inventory needs it as {loader.name}",
                    hint=f"install Debian's package {loader.package}",
                ) from None
        except OSError as error:
            raise NetbootError(
                f"{path} cannot be read: {error.strerror}", hint="check its rights"
            ) from None
    return found
