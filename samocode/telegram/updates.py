"""What the Bot API hands over: messages of people, presses of buttons, a chat that moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from samocode.record.untrusted import items, mapping

KINDS = ["message", "edited_message", "callback_query"]
"""`allowed_updates` of getUpdates."""
COMMAND = re.compile(
    r"\s*/?(?:(?P<now>stop|status)(?:@\w+)?[.!]*(?:\s+(?:now|please)[.!]*)?"
    r"|(?P<word>note|help|start)(?:@\w+)?)(?:\s+(?P<text>.*))?",
    re.I | re.S,
)


class Button(NamedTuple):
    """What a button stands for."""

    session: str
    """The key of its session."""
    question: int
    digest: str
    """Of all that its message showed."""
    choice: str

    @property
    def data(self) -> str:
        """Its callback_data, at most 64 bytes."""
        return f"q:{self.session}:{self.question}:{self.digest}:{self.choice}"


def button(data: str) -> Button | None:
    """Read callback_data, None if it is not ours."""
    parts = data.split(":")
    if len(parts) != 5 or parts[0] != "q" or not parts[2].isdecimal():
        return None
    return Button(parts[1], int(parts[2]), parts[3], parts[4])


class Heard(NamedTuple):
    """A message or the press of a button."""

    id: int
    """update_id."""
    chat: str
    chat_name: str
    """@username of a person or of a public chat, else empty."""
    user: str
    message: int
    """The message, or the one with the button."""
    text: str = ""
    press: str = ""
    """Id of the press, for answerCallbackQuery; empty for a message."""
    reply_to: int = 0
    moved_to: str = ""
    """The chat has become this supergroup."""
    session: str = ""
    """Key of the session whose message has the button, or was replied to."""
    question: int = 0
    """What that message asked; 0 if nothing."""
    digest: str = ""
    choice: str = ""
    """What the button stands for."""
    edited: bool = False

    @property
    def in_group(self) -> bool:
        return not self.chat.isdigit()

    @property
    def in_public(self) -> bool:
        """Whether anybody can find the chat. A person's own chat may have a username, too."""
        return self.in_group and bool(self.chat_name)

    @property
    def command(self) -> tuple[str, str] | None:
        """The command and the text behind it: `status`, `/note@bot use tabs`."""
        found = COMMAND.fullmatch(self.text)
        if found is None or self.press:
            return None
        word = (found["now"] or found["word"]).lower()
        return "help" if word == "start" else word, (found["text"] or "").strip()


def heard(update: object) -> Heard | None:
    """Read an update of the Bot API, or None if there is nothing for us in it."""
    given = mapping(update)
    number = given.get("update_id")
    press = mapping(given.get("callback_query"))
    edited = mapping(given.get("edited_message"))
    message = mapping(press.get("message") or given.get("message")) or edited
    chat, user = mapping(message.get("chat")), mapping((press or message).get("from"))
    if type(number) is not int or "id" not in chat:
        return None
    above = mapping(message.get("reply_to_message"))
    name, moved = _text(chat, "username"), message.get("migrate_to_chat_id")
    about = button(_text(press, "data") if press else _first_button(above))
    return Heard(
        number,
        chat=str(chat["id"]),
        chat_name=f"@{name}" if name else "",
        user=str(user.get("id", "")),
        message=_number(message, "message_id"),
        text="" if press else _text(message, "text") or _text(message, "caption"),
        press=_text(press, "id"),
        reply_to=_number(above, "message_id"),
        moved_to=str(moved) if type(moved) is int else "",
        edited=bool(edited),
        **(about._asdict() if about else {}),
    )


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
