"""`_task.md`: the human's words, printed from the history for the child to read."""

from __future__ import annotations

from samocode.record.state import SessionState


def text(name: str, state: SessionState) -> str:
    """The page of a session of this name."""
    entries = (
        f"\n## {when[:16].replace('T', ' ')} {kind}\n\n{words.strip()}\n"
        for when, kind, words in state.texts
    )
    return f"# {name}: the human's words, printed by the loop\n" + "".join(entries)


def added(page: str, printed: str) -> str:
    """The lines of a page that its print does not have, in order."""
    page = page.removeprefix("\ufeff").replace("\r\n", "\n")
    if page.startswith(printed):
        return page[len(printed) :].strip()
    left = iter(printed.split("\n"))
    expected = next(left, None)
    extra: list[str] = []
    for line in page.split("\n"):
        if line == expected:
            expected = next(left, None)
        elif line.strip():
            extra.append(line)
    known = set(printed.split("\n"))
    return "\n".join(line for line in extra if line not in known).strip()
