"""A stand-in for the Telegram Bot API: real HTTP on loopback, strict where the real one is. The
person's side is `say` and `press`; `record` is the exchange as the phone shows it."""

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "123456789:AAtest-token_of-the-stand-in-000000"
CHAT = "42"
PERSON = 42


@dataclass(frozen=True)
class Answer:
    """How the server answers one request instead of doing it. With `drop` it closes the
    connection."""

    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    drop: bool = False


def refusal(status: int, description: str, **parameters: object) -> Answer:
    """A refusal in the Bot API's form."""
    body = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return Answer(status, json.dumps(body).encode())


def result(value: object) -> Answer:
    """A success in the Bot API's form."""
    return Answer(body=json.dumps({"ok": True, "result": value}).encode())


CONFLICT = refusal(409, "Conflict: terminated by other getUpdates request")


class TelegramApi:
    """The first requests get `answers`, calls of getUpdates get `polls`. After that it works.
    `down`: it drops every connection."""

    def __init__(
        self, answers: Iterable[Answer] = (), polls: Iterable[Answer] = (), chat: str = CHAT
    ) -> None:
        self.answers, self.polls, self.chat = list(answers), list(polls), chat
        self.down = False
        self.moved: dict[str, int] = {}  # chats that became supergroups
        self.record: list[dict[str, Any]] = []  # messages of both sides, with their edits
        self.requests = self.dropped = self.conflicts = 0
        self.methods: list[str] = []
        self.toasts: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.changed = threading.Condition()
        self.updates: list[dict[str, Any]] = []
        self.last_update, self.last_message, self.poll, self.closed = 700, 0, 0, False

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def environ(self) -> dict[str, str]:
        secrets = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": self.chat}
        return secrets | {"TELEGRAM_API_URL": self.url}

    # What the test looks at, and what the person does.

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the bot that arrived."""
        return [message for message in self.record if message["by"] == "bot"]

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages]

    def find(self, words: str) -> dict[str, Any] | None:
        """The last message of the bot with these words."""
        return next((m for m in reversed(self.messages) if words in m["text"]), None)

    def say(self, text: str, to: str = "", user: int = PERSON) -> None:
        """The person writes. `to`: words of the bot's message that it replies to."""
        above = self.find(to) if to else None
        assert above or not to, self.texts
        with self.changed:
            number = self._note("person", text=text, reply_to=above and above["id"], user=user)
            reply: dict[str, object] = {}
            if above:
                rows = [[{"text": t, "callback_data": d}] for t, d in above["buttons"]]
                markup = {"reply_markup": {"inline_keyboard": rows}} if rows else {}
                reply = {"reply_to_message": {"message_id": above["id"], **markup}}
            message = {"message_id": number, "text": text, **self._where(user), **reply}
            self._update("message", message)

    def press(self, label: str, on: str, user: int = PERSON, again: int = 1) -> None:
        """The person presses a button of the bot's last message with the words `on`."""
        message = self.find(on)
        assert message, self.texts
        ((data, whole),) = [(d, t) for t, d in message["buttons"] if label in t]
        with self.changed:
            self._note("person", text=whole, pressed=message["id"], user=user)
            for _ in range(again):
                self.pressed(data, message["id"], user)

    def pressed(self, data: str, message: int, user: int = PERSON) -> None:
        """A press of a button that may be gone from the chat by now."""
        where = {"message_id": message, **self._where(user)}
        press = {"id": f"press-{self.last_update}", "from": where["from"], "data": data}
        with self.changed:
            self._update("callback_query", {**press, "message": where})

    def _where(self, user: int) -> dict[str, Any]:
        chat = self.moved.get(self.chat, int(self.chat))
        return {"from": {"id": user}, "chat": {"id": chat}, "date": int(time.time())}

    def _note(self, by: str, **fields: object) -> int:
        self.last_message += 1
        self.record.append({"id": self.last_message, "by": by, "at": time.time(), **fields})
        return self.last_message

    def _update(self, kind: str, value: object) -> None:
        self.last_update += 1
        self.updates.append({"update_id": self.last_update, kind: value})
        self.changed.notify_all()

    # The server's side.

    def judge(self, method: str, given: Mapping[str, Any]) -> Answer:
        """Do what the real server would, or refuse it in its words."""
        if method == "getUpdates":
            return self.get_updates(given)
        if method == "getMe":
            return result({"id": 1, "is_bot": True, "username": "samocode_bot"})
        chat = str(given.get("chat_id", ""))
        if chat in self.moved:
            return refusal(
                400, "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.moved[chat],
            )  # fmt: skip
        with self.changed:
            if method == "answerCallbackQuery":
                self.toasts.append(given.get("text", ""))
                return result(value=True)
            if chat not in (self.chat, *map(str, self.moved.values())):
                return refusal(400, "Bad Request: chat not found")
            if method == "getChat":
                return result({"id": int(chat), "type": "private"})
            if method in ("sendMessage", "sendDocument"):
                return self.take(given, "text" if method == "sendMessage" else "caption")
            if method == "editMessageReplyMarkup":
                return self.edit(given)
        return refusal(404, "Not Found")

    def take(self, given: Mapping[str, Any], key: str) -> Answer:
        """A message of the bot."""
        text, most = given.get(key, ""), 4096 if key == "text" else 1024
        file, markup = given.get("document"), given.get("reply_markup", {})
        rows = markup.get("inline_keyboard", [])
        data = [button["callback_data"] for row in rows for button in row]
        for wrong, why in (
            (not text.strip() and key == "text", "message text is empty"),
            (len(text.encode("utf-16-le")) > 2 * most, "message is too long"),
            ("parse_mode" in given, "can't parse entities"),
            (key == "caption" and not (file and file[1]), "file must be non-empty"),
            (not all(1 <= len(d.encode()) <= 64 for d in data), "BUTTON_DATA_INVALID"),
        ):
            if wrong:
                return refusal(400, f"Bad Request: {why}")
        number = self._note(
            "bot", text=text, file=file, preview=given.get("link_preview_options"),
            buttons=[(button["text"], button["callback_data"]) for row in rows for button in row],
            reply_to=given.get("reply_parameters", {}).get("message_id"), chat=given["chat_id"],
        )  # fmt: skip
        return result({"message_id": number, "date": int(time.time())})

    def edit(self, given: Mapping[str, Any]) -> Answer:
        """Remove the buttons of a message, the only edit that the bot makes."""
        assert not given.get("reply_markup", {}).get("inline_keyboard")
        for message in self.messages:
            if message["id"] == given["message_id"]:
                if not message["buttons"]:
                    return refusal(400, "Bad Request: message is not modified")
                message["had"], message["buttons"] = message["buttons"], []
                return result({"message_id": message["id"]})
        return refusal(400, "Bad Request: message to edit not found")

    def get_updates(self, given: Mapping[str, Any]) -> Answer:
        """Hold the poll open until there is an update. Another poll ends it."""
        until = time.monotonic() + given.get("timeout", 0)
        with self.changed:
            self.poll += 1
            mine = self.poll
            self.changed.notify_all()
            offset = given.get("offset", 0)
            self.updates = [u for u in self.updates if u["update_id"] >= offset]
            while not (self.updates or self.closed or self.down or mine != self.poll):
                if not self.changed.wait(max(0.0, until - time.monotonic())):
                    break
            if mine != self.poll:
                self.conflicts += 1
                return CONFLICT
            return Answer(drop=True) if self.down else result(self.updates[:100])

    def fall(self, down: bool = True) -> None:
        """Take the network away, or bring it back."""
        with self.changed:
            self.down = down
            self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    def __init__(self, api: TelegramApi, *args: Any) -> None:
        self.api: TelegramApi = api
        super().__init__(*args)

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["Content-Length"]))
        api, method = self.api, self.path.rpartition("/")[2]
        answers = api.polls if method == "getUpdates" else api.answers
        with api.changed:
            api.methods.append(method)
            api.requests += method != "getUpdates"
            api.dropped += api.down
            answer = Answer(drop=True) if api.down else answers.pop(0) if answers else None
        if answer is None and self.path != f"/bot{TOKEN}/{method}":
            answer = refusal(401, "Unauthorized")
        answer = answer or api.judge(method, self.given(payload))
        if not answer.drop:
            with suppress(ConnectionError):  # the client did not wait
                self.reply(answer)

    def given(self, payload: bytes) -> dict[str, Any]:
        """The parameters, of JSON or of a form with a file."""
        kind = self.headers["Content-Type"]
        if kind == "application/json":
            return dict(json.loads(payload))
        form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\n\n".encode() + payload)
        found: dict[str, Any] = {}
        for part in form.iter_parts():
            name = part.get_param("name", header="content-disposition")
            data = part.get_payload(decode=True)
            text = data.decode() if isinstance(data, bytes) else ""
            if file := part.get_filename():
                found[str(name)] = (file, text)
            else:
                found[str(name)] = json.loads(text) if text[:1] == "{" else text
        return found

    def reply(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        pass
