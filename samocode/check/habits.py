"""Checks the settings.json files that claude reads besides Samocode's own: hooks and sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import Any

from samocode.check.finding import Finding, Place, ok, or_ok, problem, warning
from samocode.child import probe
from samocode.child.probe import Said
from samocode.record import files
from samocode.record.untrusted import items, mapping, parse

MANAGED = Path("/etc/claude-code/managed-settings.json")
SANDBOX = ("bwrap", "socat")
"""Programs that the sandbox needs on Linux: Debian's packages bubblewrap and socat."""


BOX = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev")
"""A sandbox much like that of claude 2.1.332. Where it cannot be made, claude still starts, says
that the sandbox is on, and every command fails."""


def habits(place: Place, limit: float) -> list[Finding]:
    """Return the findings of all files. Trying the sandbox takes at most `limit` seconds."""
    read = {path: settings_json(path) for path in _paths(place)}
    found = [finding for path, value in read.items() for finding in _hooks(path, value)]
    boxes = [mapping(mapping(value).get("sandbox")) for value in read.values()]
    found += _sandbox(place, [box for box in boxes if box], limit)
    return or_ok(found, "no settings.json of Claude causes a problem")


def _paths(place: Place) -> Iterator[Path]:
    if place.config:
        yield place.config / "settings.json"
    yield place.code / ".claude/settings.json"
    yield MANAGED


def settings_json(path: Path) -> object:
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
        without = "Then a wrong signal costs an iteration. Ask whoever manages the file."
        return warning(f"{text}: no Stop hook checks the signals", without)
    return ok(f"{text}; the Stop hook that checks signals runs anyway")


def _sandbox(place: Place, boxes: Sequence[Mapping[str, Any]], limit: float) -> Iterator[Finding]:
    if not any(box.get("enabled") is True for box in boxes):
        return
    if sys.platform != "linux":
        yield ok("the sandbox of Claude is on")
        return
    path = place.settings.environ.get("PATH", "")
    missing = [name for name in SANDBOX if which(name, path=path) is None]
    if not missing:
        weaker = any(box.get("enableWeakerNestedSandbox") is True for box in boxes)
        words = [*BOX, *([] if weaker else ["--proc", "/proc"]), "true"]
        yield _tried(probe.program(words, place.settings, place.code, limit))
        return
    text = f"the sandbox of Claude is on, and it needs {' and '.join(missing)}"
    remedy = "Install them: sudo apt install bubblewrap socat"
    if any(box.get("failIfUnavailable") is True for box in boxes):
        yield problem(f"{text}: claude does not start without them", remedy)
    else:
        yield warning(f"{text}: without them, claude runs outside of the sandbox", remedy)


def _tried(said: Said) -> Finding:
    if said.code == 0:
        return ok("the sandbox of Claude is on, and works here")
    return problem(
        f"the sandbox of Claude is on, and cannot be made here: {said.err or 'bwrap hangs'}",
        "Every command of a child would fail. Allow user namespaces here (docs/fleets.md has it "
        "for containers), or turn the sandbox off.",
    )
