"""The settings.json files that claude reads beside Samocode's own: hooks and the sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Any

from samocode.check.finding import Finding, Place, ok, or_ok, problem, warning
from samocode.record import files
from samocode.record.untrusted import items, mapping, parse

MANAGED = Path("/etc/claude-code/managed-settings.json")
SANDBOX = ("bwrap", "socat")
"""Programs that the sandbox needs on Linux: Debian's packages bubblewrap and socat."""


def habits(place: Place) -> list[Finding]:
    """Return what is found in all of them."""
    read = {path: _read(path) for path in _paths(place)}
    found = [finding for path, value in read.items() for finding in _hooks(path, value)]
    found += _sandbox(place, {path: mapping(value) for path, value in read.items()})
    return or_ok(found, "no settings.json of Claude stands in the way")


def _paths(place: Place) -> Iterator[Path]:
    if place.config:
        yield place.config / "settings.json"
    yield place.code / ".claude/settings.json"
    yield MANAGED


def _read(path: Path) -> object:
    """Return the JSON value, an empty object without a file, and None for anything else. People
    link the file to where they keep their dotfiles."""
    data = files.read_any(Path(os.path.realpath(path)), files.MAX_BYTES)
    return parse(data) if data.strip() else {}


def _hooks(path: Path, value: object) -> Iterator[Finding]:
    found = mapping(value)
    if not isinstance(value, dict):
        yield warning(f"{path} is not a JSON object: claude ignores it", "Correct or remove it.")
        return
    if items(mapping(found.get("hooks")).get("Stop")):
        yield warning(
            f"{path} has a Stop hook, which runs after every iteration, too",
            "Let it do nothing if the variable SAMOCODE_RUN is set: one that always blocks costs "
            "eight more requests each time.",
        )
    if found.get("disableAllHooks") is True:
        yield _all_hooks_off(path)


def _all_hooks_off(path: Path) -> Finding:
    text = f"{path} has disableAllHooks"
    if path == MANAGED:
        without = "Without the Stop hook, a wrong signal costs an iteration. Ask its owner."
        return warning(f"{text}: no Stop hook checks the signals", without)
    return ok(f"{text}; the Stop hook that checks signals runs in spite of it")


def _sandbox(place: Place, read: Mapping[Path, Mapping[str, Any]]) -> Iterator[Finding]:
    boxes = [mapping(value.get("sandbox")) for value in read.values()]
    if not any(box.get("enabled") is True for box in boxes):
        return
    path = place.settings.environ.get("PATH", "")
    missing = [name for name in SANDBOX if which(name, path=path) is None]
    if sys.platform != "linux" or not missing:
        yield ok("the sandbox of Claude is on, and its programs are installed")
        return
    text = f"the sandbox of Claude is on, and it needs {' and '.join(missing)}"
    remedy = "Install them: sudo apt install bubblewrap socat"
    if any(box.get("failIfUnavailable") is True for box in boxes):
        yield problem(f"{text}: claude does not start without", remedy)
    else:
        yield warning(f"{text}: without, claude runs outside of any sandbox", remedy)
