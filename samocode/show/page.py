"""HTML from untrusted text. A plain `str` is always text, and is escaped."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import final

from samocode.show.columns import printable

LONG = 20_000  # characters of one text that are shown
PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
READABLE = frozenset(
    {".md", ".txt", ".json", ".jsonl", ".log", ".stderr", ".diff", ".patch", ".csv"}
)
"""Browsers show these as text. A child's .html could run a script."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2328; --dim: #5a666e;
  --line: #d5dbdf; --box: #f3f5f6; --on: #2a78b5; --you: #b3730a; --bad: #c62f2f }
@media (prefers-color-scheme: dark) { :root { --paper: #14181b; --ink: #e4e8ea; --dim: #9aa6ad;
  --line: #343c42; --box: #1e2428; --on: #5aa9e6; --you: #e0a33c; --bad: #f0706a } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 16px; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 4px }
h2 { font-size: 1.15rem; margin: 32px 0 8px; padding-top: 12px; border-top: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 16px 0 4px }
p { margin: 4px 0 }
a { color: var(--on) }
.dim, small, figcaption { color: var(--dim); font-size: .875rem }
.text { white-space: pre-wrap; margin: 4px 0 12px; padding: 8px 12px; background: var(--box);
  border-left: 3px solid var(--line) }
pre { margin: 4px 0 12px; padding: 8px 12px; background: var(--box); overflow-x: auto;
  font: .8125rem/1.45 ui-monospace, monospace; overflow-wrap: normal }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 600; font-size: .875rem; color: var(--dim) }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top }
th:last-child, td:last-child { padding-right: 0 }
td.name { min-width: 8em }
.number { text-align: right; white-space: nowrap }
.bad { color: var(--bad) }
ul { margin: 4px 0; padding-left: 20px }
figure { margin: 8px 0 }
svg { display: block }
svg text { fill: var(--dim); font: 12px system-ui, sans-serif }
rect.on { fill: var(--on) } rect.bad { fill: var(--bad) }
rect.you { fill: var(--paper); stroke: var(--you); stroke-width: 2 }
svg.apart rect:is(.on, .bad, .usd) { stroke: var(--paper); stroke-width: 1 }
rect.lane { fill: var(--box) } rect.usd { fill: var(--dim) }
@media (max-width: 30rem) { th, td { padding-right: 8px } .wide { display: none } }
@media print { :root { color-scheme: light; --paper: #fff; --ink: #000; --dim: #444;
    --line: #bbb; --box: #f3f5f6; --on: #2a78b5; --you: #b3730a; --bad: #c62f2f }
  body { max-width: none; padding: 0; font-size: 11pt } h2, h3 { break-after: avoid }
  tr, figure { break-inside: avoid } pre { white-space: pre-wrap; overflow-wrap: anywhere }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact } .wide { display: revert } }
"""


@final
class Markup(str):
    """HTML that is already escaped."""

    __slots__ = ()


def text(words: str, most: int = LONG) -> Markup:
    """Text as HTML: no markup, no controls, no bidi overrides, and no more than `most`."""
    more = len(words) - most
    cut = f"{words[:most]}… ({more} more characters)" if more > 0 else words
    import html  # its table of names is slow to import

    return Markup(html.escape(printable(cut), quote=True))


def joined(parts: Iterable[str]) -> Markup:
    """Join the parts. Plain strings are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else text(part) for part in parts))


def tag(name: str, *inside: str, **attributes: str) -> Markup:
    """An element. `class_` is the attribute class, `aria_label` is aria-label."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{shown}>{joined(inside)}</{name}>")


def section(title: str, *inside: str) -> Markup:
    """A section with its heading. Empty without content."""
    body = joined(inside)
    return tag("section", tag("h2", title), body) if body else body


def bullets(items: Iterable[str]) -> Markup:
    """A list. Empty without items."""
    body = joined(tag("li", item) for item in items)
    return tag("ul", body) if body else body


def table(heads: Mapping[str, str], rows: Iterable[Iterable[str]]) -> Markup:
    """A table. `heads` gives each column's heading and class. Empty without rows."""
    kinds = list(heads.values())
    body = joined(
        tag("tr", *(tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    )
    head = tag("tr", *(tag("th", name, class_=kind, scope="col") for name, kind in heads.items()))
    return tag("table", tag("thead", head), tag("tbody", body)) if body else body


def document(title: str, *body: str) -> str:
    """The whole file. It loads nothing and runs nothing."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{tag('title', title)}\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{tag('main', *body)}\n</body>\n</html>\n"
    )


@final
class Folder:
    """The regular files of a folder at one moment. Hyperlinks lead only to these."""

    def __init__(self, path: Path, below: str = "") -> None:
        """`below` is the folder as seen from the page, such as `_logs/`."""
        self.below = below
        self.sizes: dict[str, int] = {}
        """Bytes of each regular file. Symbolic links are left out: they may lead anywhere."""
        try:
            with os.scandir(path) as entries:
                found = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
                self.sizes = {e.name: e.stat(follow_symlinks=False).st_size for e in found}
        except OSError:  # gone, or not to be read
            pass

    def link(self, name: str, words: str = "") -> Markup:
        """The name as a link if it is a file that browsers show as text, else as text."""
        shown = words or name
        if name not in self.sizes or os.path.splitext(name)[1].lower() not in READABLE:  # noqa: PTH122 - no path
            return text(shown)
        return tag("a", shown, href=f"./{self.below}{encoded(name)}")


def encoded(name: str) -> str:
    """Quote a file name for a link. It may contain any byte, and begin with `javascript:`."""
    return "".join(chr(b) if b in PLAIN else f"%{b:02X}" for b in os.fsencode(name))
