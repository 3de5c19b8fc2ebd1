# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place where an error becomes words and an exit code."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence

from oglib import cli
from oglib.errors import OgErr, OgError

_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def _say(error: OgError, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(error.as_dict()), file=sys.stdout)
    print(f"og: {error}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one ``og`` command; the exit code is 0 or the OG_ERR number."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    # Being told to stop is an interruption like Ctrl-C: work settles, a rerun goes on from there.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return cli.main(words)
    except OgError as error:
        _say(error, as_json=as_json)
        return int(error.code)
    except KeyboardInterrupt:
        print("\nog: interrupted; run the same command again to go on.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        sys.stderr.close()
        return int(OgErr.GENERIC)
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        failure = OgError(
            f"The system refused{named}: {error.strerror or error}.",
            hint="Look at the kernel log (dmesg) for the device's own message.",
        )
        _say(failure, as_json=as_json)
        return int(failure.code)


if __name__ == "__main__":
    sys.exit(main())
