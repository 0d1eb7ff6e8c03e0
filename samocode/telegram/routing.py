"""Which session a message is for. A pure function; its test is a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from samocode.record.words import short_name
from samocode.telegram.spool import Peer
from samocode.telegram.updates import Heard

HELP = (
    "status: what it does now\n"
    "stop: stop after this iteration\n"
    "note TEXT: tell it something for its next iteration\n"
    "Answer a question by its buttons, or by a reply to it."
)
NONE_RUNS = "No session runs here now."
EDITED = "An edit does not count. Change the answer in _qa.md, or send a note."
GONE = "No session here knows that question."
UNKNOWN = "I do not know that message. Reply to the question itself."


class Route(NamedTuple):
    """Where a message goes. Without `to` only `say` is sent back, if it is not empty."""

    to: tuple[Peer, ...] = ()
    kind: str = "answer"
    """answer or command."""
    text: str = ""
    """What the session reads, for a command."""
    say: str = ""


def route(heard: Heard, peers: Sequence[Peer]) -> Route | None:
    """Choose the sessions for a message; None if no session here accepts it."""
    peers = [peer for peer in peers if peer.hears(heard)]
    running = [peer for peer in peers if peer.running]
    if not peers:
        return None
    asked = tuple(peer for peer in peers if peer.key == heard.session)
    if heard.press:
        return Route(asked, say="" if asked else GONE)
    if heard.edited:
        return Route(say=EDITED if asked or not heard.in_group else "")
    if asked:
        return _reply(heard, asked[0])
    if heard.in_group and not heard.text.startswith("/"):  # people talk there with each other
        return Route()
    if heard.command and not running:  # the reader's own loop has stopped
        return Route(say=NONE_RUNS)
    if heard.command:
        return _command(heard, running)
    if heard.reply_to:  # perhaps to a session on another machine
        return Route(say=UNKNOWN)
    waiting = [peer for peer in running if peer.waits]
    if len(waiting) == 1:
        return Route((waiting[0],))
    return Route(say=_which(waiting, "Reply to its question.") if waiting else HELP)


def _reply(heard: Heard, peer: Peer) -> Route:
    """Route a reply to a session's message. Any text but a /command answers a question."""
    slash = heard.text.lstrip().startswith("/")
    if heard.question and not (slash and heard.command):
        return Route((peer,))
    if heard.command and not peer.running:  # a "stop" must not wait for the next start
        return Route(say=f"{short_name(peer.name)} does not run.")
    if heard.command:
        return Route((peer,), "command", heard.text)
    return Route(say=HELP)  # that message asked nothing


def _command(heard: Heard, running: Sequence[Peer]) -> Route:
    """Route a command that is not a reply. With several sessions it must name one; `status` asks
    all."""
    word, text = heard.command or ("help", "")
    name, _, rest = text.partition(" ") if word == "note" else (text, "", "")
    named = [peer for peer in running if name and name.lower() in names(peer.name)]
    if text and word != "note" and not named:  # an answer that begins with such a word
        if len(running) > 1:
            return Route(say=_which(running, f"Write {word} and its name, or reply to a question."))
        plain = running and running[0].waits and not heard.in_group and heard.text[:1] != "/"
        return Route((running[0],)) if plain else Route(say=HELP)
    if word == "help":
        return Route(say=HELP)
    if len(named) > 1:
        how = f"Reply /{word} to a message of one."
        return Route(say=f"{len(named)} sessions have that name. {how}")
    if named and (word != "note" or len(running) > 1):
        return Route((named[0],), "command", f"{word} {rest}".strip())
    if word == "status" or len(running) == 1:
        return Route(tuple(running), "command", heard.text)
    return Route(say=_which(running, f"Write {word} and its name."))


def _which(peers: Sequence[Peer], how: str) -> str:
    found = " or ".join(sorted(short_name(peer.name) for peer in peers))
    return f"Which session: {found}? {how}"


def names(name: str) -> tuple[str, str]:
    """What a person may call a session."""
    return name.lower(), short_name(name).lower()
