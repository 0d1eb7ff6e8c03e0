#!/usr/bin/env python3
"""Make the README's pictures from real runs: python bench/pictures.py [FOLDER, default docs]

The demo runs in a terminal of tmux. Its screen while a child works becomes an SVG. Its report
becomes two screenshots, of desktop and of phone width. The exchange by Telegram comes from
bench/phone.py. Without chromium only the SVG is made.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.phone import exchange, page
from tests.outer.speech import wait_for

COLUMNS, ROWS = 92, 24
ROOT = Path(__file__).resolve().parents[1]
WORKS = "5 implementation · 0:03"  # the moving line, at a moment with much to see
MOST = 150_000  # bytes of a picture
CELL, LINE, EDGE = 8.4, 20, 16  # pixels of a character, a line, the margin
WHITE = "#e4e8ea"
COLOURS = {"39": WHITE, "31": "#ff8a80", "32": "#8bd49c", "33": "#f0c674"}
BOLD, DIM = ' font-weight="bold"', "#8b98a5"
RUN = re.compile(r"\x1b\[([\d;]*)m|([^\x1b]+)")


def main() -> None:
    """Make them all and print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=ROOT / "docs", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        screen, report = demo(place)
        (folder / "live.svg").write_text(drawn(screen))
        if chromium := shutil.which("chromium"):
            phone = place / "phone.html"
            phone.write_text(page(exchange(place)))
            wanted = {"report": (report, 1100, 1000), "report-phone": (report, 390, 1000)}
            for name, (source, wide, high) in {**wanted, "phone": (phone, 414, 1000)}.items():
                shot(chromium, source, folder / f"{name}.png", wide, high)
        else:
            print("no chromium: only the live view was made")
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size} bytes")
        assert path.stat().st_size < MOST, "too large for the README"


def demo(place: Path) -> tuple[str, Path]:
    """Play the demo in a terminal. Return its screen while a child works, and the path of its
    report."""
    told, socket = place / "told", str(place / "tmux")
    environ = {"PATH": os.environ["PATH"], "HOME": str(place), "LANG": "C.UTF-8"}

    def tmux(*words: str) -> str:
        command = ["tmux", "-S", socket, *words]
        return subprocess.run(
            command, env=environ, check=True, capture_output=True, text=True
        ).stdout

    play = f"{sys.executable} {ROOT}/main.py --demo </dev/null; touch {told}; sleep 60"
    tmux("-f", "/dev/null", "new-session", "-d", "-x", f"{COLUMNS}", "-y", f"{ROWS}", play)
    tmux("set-option", "-g", "history-limit", "5000")
    try:
        wait_for(lambda: WORKS in tmux("capture-pane", "-p"))
        screen = tmux("capture-pane", "-p", "-e")
        wait_for(told.exists)
        said = tmux("capture-pane", "-p", "-J", "-S", "-5000")
    finally:
        tmux("kill-server")
    return screen, Path(re.findall(r"^Report: (.+)$", said, re.M)[-1])


def drawn(screen: str) -> str:
    """A screen with its colours as SVG."""
    high = len(screen.rstrip("\n").split("\n")) * LINE + 2 * EDGE
    wide, words = COLUMNS * CELL + 2 * EDGE, "".join(pieces(screen.rstrip("\n")))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high}" '
        f'font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" '
        f'font-size="14"><rect width="100%" height="100%" rx="8" fill="#14181b"/>\n'
        f"{words}</svg>\n"
    )


def pieces(screen: str) -> Iterator[str]:
    """Yield each run of characters with the same style, exactly as wide as on the terminal."""
    weight, dim, colour = "", False, WHITE
    for row, line in enumerate(screen.split("\n")):
        column = 0
        for codes, text in RUN.findall(line):
            for code in codes.split(";") if not text else ():
                if code in ("", "0"):
                    weight, dim, colour = "", False, WHITE
                weight, dim = BOLD if code == "1" else weight, dim or code == "2"
                colour = COLOURS.get(code, colour)
            left = len(text) - len(text.lstrip(" "))
            if shown := text.strip(" "):
                yield (
                    f'<text x="{EDGE + (column + left) * CELL:.1f}" y="{EDGE + 15 + row * LINE}" '
                    f'textLength="{len(shown) * CELL:.1f}"{weight} fill="{DIM if dim else colour}" '
                    f'xml:space="preserve">{html.escape(shown)}</text>\n'
                )
            column += len(text)


def shot(chromium: str, source: Path, picture: Path, wide: int, high: int) -> None:
    """A screenshot of the beginning of a page."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}",
                f"--window-size={wide},{high}", f"--screenshot={picture}", source.as_uri(),
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


if __name__ == "__main__":
    main()
