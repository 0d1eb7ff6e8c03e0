"""Tell the other sessions of an account on this machine when its usage limit resets.

One small file per account, `~/.cache/samocode/limits/HASH`. It is only a hint. It is safe to
delete, and no session depends on it.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from samocode.child.stream import RunResult
from samocode.record import files
from samocode.record.untrusted import mapping, number, parse
from samocode.settings.clone import cache
from samocode.settings.load import Settings, paying

OF_ALL = ("five_hour", "seven_day")
"""The limits of a whole account. Others, such as seven_day_opus, concern one model."""
LONGEST = 8 * 86400.0
"""Seconds. No limit lasts longer than a week: a later reset is not from claude."""


class Hint(NamedTuple):
    """A usage limit that some session reached."""

    resets_at: float
    """Epoch seconds."""
    session: str
    """The name of that session."""


def note(settings: Settings, session: str, run: RunResult) -> None:
    """Write the hint if a run reached a limit of the account. A failure to write is ignored."""
    resets = run.limit_resets_at
    if not run.limit_rejected or run.limit_name not in OF_ALL or resets is None:
        return
    with contextlib.suppress(OSError):
        path = _path(settings)
        known = _read(path) if path else None
        if path and (known is None or known.resets_at < resets):
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"resets_at": resets, "session": session})
            files.write(path, text, durable=False)


def hint(settings: Settings, since: float = 0.0) -> Hint | None:
    """Return the hint for the account that pays, unless it is past or was written before `since`
    (epoch seconds)."""
    with contextlib.suppress(OSError):
        # .claude.json may be large: read it only if some hint still holds (old hints stay).
        paths = _folder(settings.environ).iterdir()
        known = {path: found for path in paths if (found := _read(path, since))}
        own = _path(settings) if known else None
        return known.get(own) if own else None
    return None


def _read(path: Path, since: float = 0.0) -> Hint | None:
    stamp = files.stamp(path)
    if stamp is None or stamp[-1] / 1e9 < since + 1:  # `since` has whole seconds
        return None
    said = mapping(parse(files.read_any(path)))
    resets, session = number(said.get("resets_at")), said.get("session")
    left = (resets or 0.0) - time.time()
    if resets is None or not isinstance(session, str) or not 0 < left < LONGEST:
        return None
    return Hint(resets, session)


def _folder(environ: Mapping[str, str]) -> Path:
    return cache(environ) / "limits"


def _path(settings: Settings) -> Path | None:
    """Return the file of the account. None if a key or a cloud account may pay, which has no such
    limit, or if the login is unknown."""
    environ = settings.environ
    if settings.key_may_pay:
        return None
    who = environ.get(paying(environ), "") or _login(environ)
    import hashlib  # slow to import, and rarely needed

    return _folder(environ) / hashlib.sha256(who.encode()).hexdigest()[:16] if who else None


def _login(environ: Mapping[str, str]) -> str:
    """Return the account of the stored login, from .claude.json (CLI 2.1.332)."""
    home = Path(environ.get("CLAUDE_CONFIG_DIR") or environ.get("HOME") or "~").expanduser()
    known = mapping(parse((home / ".claude.json").read_bytes())).get("oauthAccount")
    ids = [mapping(known).get(name) for name in ("accountUuid", "organizationUuid")]
    return " ".join(str(one) for one in ids if one)
