"""A stand-in for the Telegram Bot API: real HTTP on loopback, strict where the real one is."""

import json
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "123456789:AAtest-token_of-the-stand-in-000000"
CHAT = "-42"


@dataclass(frozen=True)
class Answer:
    """How the server answers one request instead of accepting the message. With `drop` it closes
    the connection; `delay` is in seconds."""

    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    delay: float = 0.0
    drop: bool = False


def refusal(status: int, description: str, **parameters: object) -> Answer:
    """A refusal in the Bot API's form."""
    body = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return Answer(status, json.dumps(body).encode())


class TelegramApi:
    """`with TelegramApi(answers) as api:` the answers come first, one a request; then it works."""

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self.answers: list[Answer] = list(answers)
        self.messages: list[dict[str, Any]] = []  # that arrived, as sent
        self.requests: int = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def environ(self) -> dict[str, str]:
        """The settings that lead here."""
        secrets = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": CHAT}
        return secrets | {"TELEGRAM_API_URL": self.url}

    @property
    def texts(self) -> list[str]:
        """The texts that arrived."""
        return [message["text"] for message in self.messages]

    def judge(self, path: str, payload: bytes) -> Answer:
        """Take the message as the real server would, or refuse it in its words."""
        if path != f"/bot{TOKEN}/sendMessage":
            return refusal(401, "Unauthorized")
        message = json.loads(payload)
        text = message["text"]
        for wrong, why in (
            (message["chat_id"] != CHAT, "chat not found"),
            (not text.strip(), "message text is empty"),
            (len(text.encode("utf-16-le")) > 2 * 4096, "message is too long"),
            ("parse_mode" in message, "can't parse entities"),
        ):
            if wrong:
                return refusal(400, f"Bad Request: {why}")
        self.messages.append(message)
        return Answer(body=b'{"ok": true, "result": {"message_id": 1}}')


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def __init__(self, api: TelegramApi, *args: Any) -> None:
        self.api: TelegramApi = api
        super().__init__(*args)

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["Content-Length"]))
        self.api.requests += 1
        answers = self.api.answers
        answer = answers.pop(0) if answers else self.api.judge(self.path, payload)
        time.sleep(answer.delay)
        if not answer.drop:
            with suppress(ConnectionError):  # the client did not wait
                self.say(answer)

    def say(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        pass
