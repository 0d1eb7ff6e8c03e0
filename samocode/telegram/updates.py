"""What the Bot API hands over: messages of people, presses of buttons, a chat that moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from samocode.record.untrusted import items, mapping

KINDS = ["message", "callback_query"]
"""`allowed_updates` of getUpdates."""
COMMAND = re.compile(r"\s*/?(status|stop|note|help|start)(?:@\w+)?(?:\s+(.*))?", re.I | re.S)


class Heard(NamedTuple):
    """A message or the press of a button."""

    id: int
    """update_id."""
    chat: str
    chat_name: str
    """@username of a public chat, else empty."""
    user: str
    message: int
    """The message, or the one with the button."""
    text: str = ""
    data: str = ""
    """callback_data of the button; empty for a message."""
    press: str = ""
    """Id of the press, for answerCallbackQuery."""
    reply_to: int = 0
    reply_data: str = ""
    """callback_data of the first button of the message that it replies to."""
    moved_to: str = ""
    """The chat has become this supergroup."""
    question: int = 0
    """Number of the question whose message was answered by a reply; set by the reader."""
    digest: str = ""
    """Of the text that this message showed."""

    @property
    def in_group(self) -> bool:
        return not self.chat.isdigit()

    @property
    def command(self) -> tuple[str, str] | None:
        """The command and the text behind it: `status`, `/note@bot use tabs`."""
        found = COMMAND.fullmatch(self.text)
        if found is None or self.press:
            return None
        word = found[1].lower()
        return "help" if word == "start" else word, (found[2] or "").strip()


def heard(update: object) -> Heard | None:
    """Read an update of the Bot API, or None if there is nothing for us in it."""
    given = mapping(update)
    number = given.get("update_id")
    press = mapping(given.get("callback_query"))
    message = mapping(press.get("message") or given.get("message"))
    chat, user = mapping(message.get("chat")), mapping((press or message).get("from"))
    if type(number) is not int or "id" not in chat:
        return None
    above = mapping(message.get("reply_to_message"))
    name, moved = _text(chat, "username"), message.get("migrate_to_chat_id")
    return Heard(
        number,
        chat=str(chat["id"]),
        chat_name=f"@{name}" if name else "",
        user=str(user.get("id", "")),
        message=_number(message, "message_id"),
        text="" if press else _text(message, "text") or _text(message, "caption"),
        data=_text(press, "data"),
        press=_text(press, "id"),
        reply_to=_number(above, "message_id"),
        reply_data=_first_button(above),
        moved_to=str(moved) if type(moved) is int else "",
    )


def stored(fields: Mapping[str, Any]) -> Heard | None:
    """Read what `_asdict` wrote, or None if it is something else."""
    try:
        return Heard(**fields)
    except TypeError:
        return None


def _first_button(message: Mapping[str, Any]) -> str:
    rows = items(mapping(message.get("reply_markup")).get("inline_keyboard"))
    buttons = items(rows[0]) if rows else ()
    return _text(mapping(buttons[0]), "callback_data") if buttons else ""


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key)
    return value if isinstance(value, str) else ""


def _number(given: Mapping[str, Any], key: str) -> int:
    value = given.get(key)
    return value if type(value) is int else 0
