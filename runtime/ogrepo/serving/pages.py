# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees who opens the repository in a browser.

Pure: data in, HTML out. Every text is escaped, for titles and host names come from PCs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from oglib.wording.amounts import human_bytes
from ogrepo.library.proving.proofs import Proof

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 3rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; font-weight: 600 } a { color: inherit }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: .85rem }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line) }
td { vertical-align: top } .n { text-align: right; font-variant-numeric: tabular-nums }
small, .none { color: var(--soft) } nav { margin-bottom: 2rem } li { margin: .2rem 0 }
""".strip()


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry of the listing: where image and manifest are below ``/images/``, and the rest.

    ``proof``: what was found when it was last proven, None where that is not known.
    """

    image: str
    manifest: str
    about: dict[str, Any]
    proof: Proof | None = None


def image_list(images: Sequence[Shown]) -> str:
    """The table of images."""
    rows = "".join(_row(one.about, one.image, one.manifest) for one in images)
    head = (
        "<tr><th>Image<th class=n>Version<th>System<th class=n>Size"
        "<th class=n>Needs<th>Captured<th>Signed</tr>"
    )
    table = f"<table><thead>{head}</thead><tbody>\n{rows}</tbody></table>\n"
    empty = "<p class=none>No image has been published here yet.</p>\n"
    nav = '<nav><small><a href="/">repository</a> · <a href="?format=json">JSON</a></small></nav>'
    return _page("Images", nav + (table if rows else empty))


def _row(shown: dict[str, Any], image: str, manifest: str) -> str:
    """One entry of the listing; ``image`` and ``manifest`` are what it links to."""
    link, about = f"/images/{quote(image)}", f"/images/{quote(manifest)}"
    title = f"<br><small>{escape(shown['title'])}</small>" if shown["title"] else ""
    host = f"<br><small>{escape(shown['hostname'])}</small>"
    if shown.get("damaged"):
        title += f"<br><b>damaged</b> <small>{escape(shown['damaged'])}</small>"
    system = escape(shown["os"]) or "&ndash;"
    signed = f"<code>{escape(shown['key_id'])}</code>" if shown["key_id"] else "<b>no</b>"
    return (
        f'<tr><td><a href="{escape(about)}">{escape(shown["name"])}</a>{title}'
        f"<td class=n>{shown['version']}"
        f"<td>{system}{host}<br><small>{escape(shown['filesystem'])}</small>"
        f'<td class=n><a href="{escape(link)}">{human_bytes(shown["size_bytes"])}</a>'
        f"<td class=n>{human_bytes(shown['required_bytes'])}"
        f"<td>{escape(shown['created'][:16].replace('T', ' '))}"
        f"<td><small>{signed}</small></tr>\n"
    )


def folder_list(path: str, entries: Iterable[tuple[str, bool]]) -> str:
    """A plain folder; ``path`` is shown, ``entries`` are names and whether they are folders."""
    above = '<li><a href="../">..</a>' if path else ""
    items = "".join(
        f'<li><a href="{escape(quote(name))}{"/" * is_folder}">{escape(name)}</a>{"/" * is_folder}'
        for name, is_folder in entries
    )
    return _page(f"/{path}" if path else "ogLive repository", f"<ul>{above}{items}</ul>\n")
