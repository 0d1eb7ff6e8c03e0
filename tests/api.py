"""A scripted Messages API on loopback: it plays the model for the real Claude CLI.

Nothing here reaches a model or leaves the machine. Measured on CLI 2.1.332: a run sends only its
own turns and those of its helpers, all to POST /v1/messages; a stream refused with 404 is asked
for once more without streaming; nothing else comes but a HEAD /api/hello.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Self

from tests.replies import Drop, Error, Hang, Reply, Text, Tool, Turn
from tests.script import Answer, Request, in_order

Event = dict[str, Any]


class ScriptedApi:
    """A context manager that serves a script. An exception in the script becomes a 400, which ends
    the run, and is raised again at the end."""

    def __init__(self, script: Sequence[Reply] | Answer) -> None:
        """Takes a function from request to reply, or a list whose last reply repeats."""
        self._answer: Answer = script if callable(script) else in_order(script)
        self._lock: threading.Lock = threading.Lock()
        self._requests: list[Request] = []
        self._failure: Exception | None = None
        self.closing: threading.Event = threading.Event()
        self._server: ThreadingHTTPServer = _Server(("127.0.0.1", 0), partial(_Handler, self))
        self.url: str = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[Request]:
        """The bodies of all scripted requests so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            self._requests.append(request)
            try:
                return self._answer(request)
            except Exception as failure:
                self._failure = failure
                return Error(400, "invalid_request_error", f"the test's script: {failure!r}")

    def __enter__(self) -> Self:
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Lets hanging replies go, and raises what the script raised."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        if self._failure and error is None:
            raise self._failure


class _Server(ThreadingHTTPServer):
    """Ignores errors of a client that disconnects early, as a killed CLI does."""

    daemon_threads: bool = True
    block_on_close: bool = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version: str = "HTTP/1.1"
    close_connection: bool

    def __init__(self, api: ScriptedApi, *args: Any) -> None:
        self.api: ScriptedApi = api
        super().__init__(*args)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._send(200, "application/json", b"", {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        request: Request = json.loads(body)
        self._give(request, self.api.reply_to(request))

    def _give(self, request: Request, reply: Reply) -> None:
        match reply:
            case Hang():
                self.api.closing.wait()
                self.close_connection = True
            case Drop():
                self.close_connection = True
            case Error():
                error = {"type": reply.type, "message": reply.message}
                self._json(reply.status, {"type": "error", "error": error}, reply.headers)
            case Text() | Tool():
                self._message(request, Turn((reply,)))
            case Turn():
                self._message(request, reply)

    def _message(self, request: Request, turn: Turn) -> None:
        message = _message(turn, str(request["model"]))
        if not request.get("stream"):
            return self._json(200, message, turn.headers)
        stream = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in _events(message))
        self._send(200, "text/event-stream", stream.encode(), turn.headers)

    def _json(self, status: int, value: Event, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(value).encode(), headers or {})

    def _send(self, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        own = {"content-type": kind, "content-length": str(len(body)), "request-id": "req_script"}
        for name, value in (own | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


_numbers = count(1)


def _message(turn: Turn, model: str) -> Event:
    """A finished message of the Messages API."""
    number = next(_numbers)
    blocks = [_block(block, f"toolu_{number:04}_{i}") for i, block in enumerate(turn.blocks)]
    calls = any(isinstance(block, Tool) for block in turn.blocks)
    return {
        "id": f"msg_{number:04}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": "tool_use" if calls else turn.stop,
        "stop_sequence": None,
        "usage": turn.usage.as_json(),
    }


def _block(block: Text | Tool, call: str) -> Event:
    """One content block of a finished message; `call` is the id of a tool call."""
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    return {"type": "tool_use", "id": call, "name": block.name, "input": dict(block.input)}


def _events(message: Event) -> Iterator[Event]:
    """The same message as the API streams it."""
    start: Event = message | {"content": [], "stop_reason": None}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty: Event = block | {"text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            empty = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    output = {"output_tokens": message["usage"]["output_tokens"]}
    yield {"type": "message_delta", "delta": ending, "usage": output}
    yield {"type": "message_stop"}
