# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine has run out of for a moment: descriptors or memory.

That says nothing about the file that was asked for. It is answered with "later" and is never
taken for an absence or for damage.
"""

from __future__ import annotations

import errno

_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
# What says that there is nothing under a name; any other error says nothing about that.
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def is_shortage(error: BaseException | None) -> bool:
    """Whether a shortage is this error, or what it was raised for."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno in _SHORT:
            return True
        error = error.__cause__ or error.__context__
    return False


def says_absent(error: OSError) -> bool:
    """Whether the error says that there is no such file."""
    return error.errno in _ABSENT
