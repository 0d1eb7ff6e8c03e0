"""Checks the Claude CLI: its version, its login, and who pays and which mode it runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from samocode.check.finding import Finding, Place, ok, problem, warning
from samocode.child import probe
from samocode.child.command import KEYS, TESTED, not_as_announced
from samocode.child.probe import Said
from samocode.child.stream import Init
from samocode.decide.failures import BLOCKING
from samocode.record.untrusted import mapping, parse
from samocode.settings.load import Settings
from samocode.show.live import introduced


def claude(place: Place, limit: float) -> list[Finding]:
    """Ask claude three things side by side, each for at most `limit` seconds."""
    settings, cwd = place.settings, place.code
    if not os.access(settings.claude, os.X_OK) or settings.claude.is_dir():
        return []  # reported with the settings
    with ThreadPoolExecutor(3) as pool:
        version = pool.submit(probe.ask, settings, cwd, limit, "--version")
        login = pool.submit(probe.ask, settings, cwd, limit, "auth", "status")
        init = pool.submit(probe.introduce, settings, cwd, limit)
    event, said = init.result()
    return [
        *_version(version.result(), settings),
        *_login(login.result(), event, settings),
        *_init(event, said, settings),
    ]


def _version(said: Said, settings: Settings) -> Iterator[Finding]:
    words = said.out.decode("utf-8", "replace").split()
    if said.code is None:
        yield late("--version")
    elif said.code != 0 or not words:
        yield problem(
            f"{settings.claude} --version fails (exit code {said.code}): {said.err}".rstrip(": "),
            "Install it again: npm install -g @anthropic-ai/claude-code, or correct CLAUDE_PATH.",
        )
    elif words[0] != TESTED:
        yield warning(
            f"claude {words[0]:.40} ({settings.claude}) is not the tested version, {TESTED}",
            f"It probably works. If not: npm install -g @anthropic-ai/claude-code@{TESTED}",
        )
    else:
        yield ok(f"claude {TESTED} ({settings.claude})")


def _login(said: Said, init: Init | None, settings: Settings) -> Iterator[Finding]:
    if said.code is None:
        yield late("auth status")
        return
    status = mapping(parse(said.out))
    if not isinstance(status.get("loggedIn"), bool):
        yield warning(
            f"claude auth status does not say who is logged in: {said.err}".rstrip(": "),
            "Try samocode --check --live.",
        )
        return
    key = init is not None and init.key_source in KEYS  # auth status knows no settings.json
    if not status["loggedIn"] and not key:
        yield problem(
            "claude is not logged in", "Run: claude auth login (or export a key or token)."
        )
        return
    facts = ("authMethod", "apiProvider", "subscriptionType", "email")
    known = ", ".join(f"{status[fact]}" for fact in facts if isinstance(status.get(fact), str))
    yield ok(f"paid by {settings.paid_by}; claude auth status says {known or 'logged in'}")


def _init(init: Init | None, said: Said, settings: Settings) -> Iterator[Finding]:
    if init is None and said.code is None:
        yield late("its init event", " A SessionStart hook or an MCP server may be slow.")
        return
    if init is None:
        yield problem(
            f"claude does not start (exit code {said.code}): {said.err}".rstrip(": "),
            "Fix what the message names, such as a flag in CLAUDE_ARGS.",
        )
        return
    refused = not_as_announced(settings, init)
    if refused:
        yield problem(introduced(init), BLOCKING[refused][1])
    else:
        yield ok(introduced(init))


def late(what: str, why: str = "") -> Finding:
    """Return the warning for an answer that did not come in time."""
    again = "Run --check again on a less busy machine, or try it by hand."
    return warning(f"claude did not answer in time (asked for {what})", f"{again}{why}")
