"""Text that Telegram accepts."""

from __future__ import annotations

import re

LIMIT = 4096  # UTF-16 units of a message, core.telegram.org/bots/api#sendmessage
CAPTION = 1024  # of a document
NO_PREVIEW = {"link_preview_options": {"is_disabled": True}}
TOAST = 200  # of the answer to a button
LABEL = 60  # of a button; a phone shows some 30


def fit(
    text: str, most: int = LIMIT, note: str = "\n[cut here: the rest is at the terminal]"
) -> str:
    """Return sendable text of at most `most` UTF-16 units. A note marks where it was cut, if
    possible at a line end."""
    text = clean(text).strip()
    if units(text) <= most:
        return text
    head = text.encode("utf-16-le")[: 2 * (most - units(note))].decode("utf-16-le", "ignore")
    end = head.rfind("\n", len(head) * 3 // 4)
    return (head[:end] if end > 0 else head).rstrip() + note


def short(text: str, most: int) -> str:
    """Return the text on one line, cut with an ellipsis."""
    return fit(" ".join(text.split()), most, "…")


def units(text: str) -> int:
    """Return the length as Telegram counts it."""
    return len(text) + sum(char > "\uffff" for char in text)


def clean(text: str) -> str:
    """Replace control characters and lone surrogates, which Telegram refuses."""
    text = re.sub(r"\r\n?", "\n", text)
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


def below(message: int) -> dict[str, object]:
    """Return `reply_parameters` that make a text a reply to this message. If the message is gone,
    the text is sent without it."""
    return {"message_id": message, "allow_sending_without_reply": True}
