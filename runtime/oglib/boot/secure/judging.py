# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the firmware, and the shim that it starts, would start a loader; and why not. Pure.

Who signed is compared by certificate, and each issuer by its own signature; the signature of the
loader's bytes is the firmware's to verify.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from oglib.boot.secure.firmware import Accepts, Signers
from oglib.boot.secure.loader import Loader


def why_refused(shim: Loader | None, second: Loader, accepts: Accepts) -> str:
    """Why Secure Boot would not start ``second`` by ``shim``, in words; empty where it would.

    Without ``shim`` the firmware starts it by itself. Where Secure Boot is off, or nothing is
    known of it, everything starts.
    """
    if not accepts.enforced:
        return ""
    try:
        if shim is None:
            return _unsigned(second, accepts.allowed.certificates, accepts)
        trusted = (*accepts.allowed.certificates, *shim.brings_certificates)
        return (
            _unsigned(shim, accepts.allowed.certificates, accepts)
            or _unsigned(second, trusted, accepts)
            or _too_old(shim, accepts.level)
            or _too_old(second, _most(accepts.level, shim.brings_level))
        )
    except ValueError as error:
        return f"{second.called if shim is None else shim.called}: {error}"


def _unsigned(loader: Loader, trusted: Sequence[bytes], accepts: Accepts) -> str:
    if loader.digest in accepts.forbidden.digests:
        return f"{loader.called} is on the firmware's list of what never starts"
    if loader.digest in accepts.allowed.digests:
        return ""
    if not loader.signatures:
        return f"{loader.called} is not signed"
    for chain in loader.signatures:
        if _vouched(chain, trusted) and not _forbidden(chain, accepts.forbidden):
            return ""
    signers = " and ".join(sorted({_signer(chain) for chain in loader.signatures}))
    return f"{loader.called} is signed by {signers}, which this PC does not accept"


def _forbidden(chain: Sequence[bytes], forbidden: Signers) -> bool:
    return any(one in forbidden.certificates for one in chain)


def _vouched(chain: Sequence[bytes], trusted: Sequence[bytes]) -> bool:
    """Whether one of the chain is trusted itself, or issued by one that is."""
    return any(one in trusted or _issued(one, trusted) for one in chain)


def _issued(der: bytes, trusted: Iterable[bytes]) -> bool:
    from cryptography import x509  # noqa: PLC0415 - only who looks at signatures pays for it
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    certificate = x509.load_der_x509_certificate(der)
    for each in trusted:
        try:
            certificate.verify_directly_issued_by(x509.load_der_x509_certificate(each))
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def _signer(chain: Sequence[bytes]) -> str:
    from cryptography import x509  # noqa: PLC0415 - as above

    if not chain:
        return "nobody who can be named"
    issuer = x509.load_der_x509_certificate(chain[0]).issuer
    names = issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else issuer.rfc4514_string()


def _most(*levels: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for level in levels:
        for name, least in level.items():
            found[name] = max(least, found.get(name, 0))
    return found


def _too_old(loader: Loader, level: Mapping[str, int]) -> str:
    """By its SBAT: a component below the least generation, or no generations at all."""
    if not level:
        return ""
    if not loader.generations:
        return f"{loader.called} tells no generations (SBAT), and so is too old"
    for name, least in level.items():
        has = loader.generations.get(name)
        if has is not None and has < least:
            return (
                f"{loader.called} has generation {has} of {name}, and this PC starts {least} or "
                "newer (SBAT)"
            )
    return ""
