"""Checks disk, memory, the links that install.sh made, and sessions whose loop was killed."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from samocode.check.finding import Finding, Place, ok, or_ok, warning
from samocode.check.finding import problem as trouble
from samocode.check.habits import settings_json
from samocode.record import files
from samocode.record.untrusted import mapping
from samocode.record.words import counted, few, short_name
from samocode.settings.clone import CLONE, COMMANDS
from samocode.settings.flags import SHORT, program
from samocode.show.row import rows
from samocode.show.sizes import Size

LITTLE, TOO_LITTLE = 2_000_000_000, 200_000_000
"""Bytes of free disk. Less than the first is a warning: it may not be enough for a worktree with
its packages and a night of logs. With less than the second, nothing works."""
PLUGIN = "samocode@samocode"
"""Plugin and marketplace of .claude-plugin/."""
MEMORY = 1_000_000_000
"""Bytes: claude takes some 400 MB, and its builds and tests come on top."""


def room(place: Place) -> Iterator[Finding]:
    """Yield the free disk, once for each file system, and the free memory."""
    seen = set[int]()
    for name, path in _places(place):
        there = next(p for p in (path, *path.parents) if p.is_dir())
        if (device := there.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        text = f"{Size(free, whole=True)} free for {name} ({there})"
        if free >= LITTLE:
            yield ok(text)
            continue
        level = trouble if free < TOO_LITTLE else warning
        yield level(text, "Make room: a night needs some GB for worktrees and logs.")
    if (memory := _memory()) is not None:
        text = f"{Size(memory, whole=True)} of memory are available"
        more = "Close programs, or set CLAUDE_CODE_TOOL_MEMORY_LIMIT, such as 2G."
        yield ok(text) if memory >= MEMORY else warning(text, more)


def _places(place: Place) -> Iterator[tuple[str, Path]]:
    project, environ = place.settings.project, place.settings.environ
    named = {"SESSIONS": project.sessions, "WORKTREES": project.worktrees}
    named |= {"temporary files": Path(environ.get("TMPDIR", "/tmp"))}  # noqa: S108 - the default
    named |= {"Claude's folder": place.config} if place.config else {}
    yield from ((name, path) for name, path in named.items() if path.is_absolute())


def _memory() -> int | None:
    """Return the available bytes of memory; None where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def links(place: Place) -> list[Finding]:
    """Whether Claude Code has the commands and the shell has `samocode`."""
    install = shlex.quote(str(CLONE / "install.sh"))
    if place.config and has_plugin(place.config):
        plugin = ok(f"the commands are the plugin {PLUGIN}")
        return [plugin, _program(place, f"Run {install} --plugin.")]
    return [*_commands(place, f"Run {install}."), _program(place, f"Run {install}.")]


def has_plugin(config: Path) -> bool:
    """Whether the commands are a plugin of Claude Code, and enabled. Claude 2.1.332 has this in its
    settings.json (tests/real/test_plugin.py)."""
    settings = mapping(settings_json(config / "settings.json"))
    return mapping(settings.get("enabledPlugins")).get(PLUGIN) is True


def _commands(place: Place, install: str) -> list[Finding]:
    if place.config is None:
        return [warning("HOME is not set, so Claude Code has no folder for commands", "Set HOME.")]
    folder = place.config / "commands"
    missing = [
        f"/{path.stem}"
        for path in sorted(COMMANDS.glob("*.md"))
        if os.path.realpath(folder / path.name) != os.path.realpath(path)
    ]
    found = [warning(f"not linked in {folder}: {few(missing)}", install)] if missing else []
    return or_ok(found, f"the commands are linked in {folder}")


def _program(place: Place, install: str) -> Finding:
    environ = place.settings.environ
    if program(environ) == [SHORT]:
        return ok(f"{SHORT} is on PATH")
    other = shutil.which(SHORT, path=environ.get("PATH", ""))
    if other:
        return warning(f"{SHORT} on PATH is another program: {other}", install)
    main = shlex.quote(str(CLONE / "main.py"))
    add = f"{install} It links {SHORT} into ~/.local/bin, which must be on PATH. Or call {main}."
    return warning(f"{SHORT} is not on PATH", add)


def sessions(place: Place) -> Iterator[Finding]:
    """Yield the number of sessions, and those whose loop was killed or whose history is damaged.
    The kernel has released the lock of a killed loop, so there is nothing to remove."""
    folder = place.settings.project.sessions
    if not files.is_folder(folder):
        return
    found = rows(folder)
    for row in found:
        if row.state == "damaged":
            yield warning(f"{row.name} is damaged", row.waits_for)
    command = " ".join(program(place.settings.environ))
    for row in found:
        if row.state == "killed":
            on = f"To go on: {command} --session {shlex.quote(short_name(row.name))}"
            yield Finding("ok", f"the loop of {row.name} was killed; its lock is free", on)
    running = [row.name for row in found if row.running]
    yield ok(counted(len(found), "session") + (f"; running: {few(running)}" if running else ""))
