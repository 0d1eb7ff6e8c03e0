"""Short texts for a phone: the status and the stops, without paths and long commands."""

from __future__ import annotations

from samocode.record.exits import ExitCode, Stop
from samocode.record.words import counted, short_name
from samocode.session import Session, open_session
from samocode.settings.flags import RAISED
from samocode.show import landing
from samocode.show.columns import clip
from samocode.show.doing import doing
from samocode.show.row import standing
from samocode.show.status import ago, runs, so_far
from samocode.show.text import in_words, money, step

LINE = 200  # characters


def stop_text(session: Session, stop: Stop, command: str) -> str:
    """What happened and what to do. `command` resumes the session."""
    state, lines = session.state, [stop.why.strip()]
    if stop.code == ExitCode.WAITING:
        lines = [f"{counted(len(state.open), 'open question')}."]
    if stop.code == ExitCode.DONE and session.checkout:
        repository, tree = session.checkout
        count = len((landing.story(repository, tree)[0] or "").splitlines())
        lines.append(f"{counted(count, 'commit')} on {tree.branch}")
    lines.append(so_far(state))
    if stop.code != ExitCode.DONE:
        cap = f" {RAISED}" if RAISED in command else ""
        lines.append(f"To go on: samocode --session {short_name(session.name)}{cap}")
    return "\n".join(line for line in lines if line)


def status_text(session: Session) -> str:
    """What a running session does. Another thread than the loop's calls this, so it reads the
    history again. UserError if that fails."""
    repository = session.checkout.repository if session.checkout else None
    seen = open_session(session.main_repo, session.folder, repository, repair=False)
    state = seen.state
    word, waits_for = standing(state, running=True)
    lines = [f"{word}: {waits_for}" if waits_for else word]
    if child := doing(seen):
        lines = [f"{word}: iteration {child.iteration} for {ago(child.since)}"]
        lines += [clip(child.last, LINE)] if child.last else []
    lines.append(f"Phase {step(state.phase)}, {runs(state)}, {money(state)}.")
    if state.last:
        lines.append(f"Last: {state.last.phase}: {in_words(state.last.outcome)}")
    return "\n".join(lines)
