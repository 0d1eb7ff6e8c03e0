"""`_task.md`: what the user wrote, printed from the history for the child to read."""

from __future__ import annotations

from samocode.record.state import SessionState
from samocode.record.words import clean


def text(name: str, state: SessionState) -> str:
    entries = (
        f"\n## {when[:16].replace('T', ' ')} {kind}\n\n{words.strip()}\n"
        for when, kind, words in state.texts
    )
    return clean(f"# {name}: the human's words, printed by the loop\n" + "".join(entries))
