"""Parse the CLI's stream-json into a RunResult (samples: tests/fakes/events)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import IO, Any, Literal, NamedTuple, final

from samocode.record.untrusted import items, mapping, number, parse

MAX_LINE_BYTES = 8 << 20  # a longer line is skipped; only a tool result is so long
END, CHUNK = 1 << 20, 1 << 18  # bytes
AUTH_STATUSES = (401, 403)
PROMPT_AGAIN = "\n\nOriginal prompt: "  # the CLI appends the prompt if a hook refuses it (2.1.332)
Event = Mapping[str, Any]


EndReason = Literal[
    "itself", "timeout", "stopped", "no_init", "payer", "mode", "after_result", "auth", "flood",
    "killed_loop",
]  # fmt: skip
"""Why a run is over: claude exited, the loop ended it, or the loop was killed."""


class Init(NamedTuple):
    """The init event, which comes before the first request. Missing values are empty."""

    model: str = ""
    mode: str = ""
    key_source: str = ""
    """Source of the API key. `none` means a login, a cloud account, or no credentials."""
    sandbox: bool = False
    version: str = ""

    @classmethod
    def of(cls, event: Event) -> Init | None:
        """Return the Init for an init event, else None."""
        if (event.get("type"), event.get("subtype")) != ("system", "init"):
            return None
        names = ("model", "permissionMode", "apiKeySource", "claude_code_version")
        model, mode, source, version = (str(event.get(name) or "") for name in names)
        return cls(model, mode, source, event.get("sandbox_enabled") is True, version)


class Window(NamedTuple):
    """How much of a subscription's limit is used."""

    name: str
    """five_hour, seven_day, ..."""
    used: float
    """From 0 to 1."""
    resets_at: float
    """Epoch seconds."""


class RunResult(NamedTuple):
    """The result of one run: what its events said, and how it ended. Costs are the CLI's list-price
    estimates in USD. Times are epoch seconds."""

    init: Init | None = None
    session_id: str = ""
    answered: bool = False
    """The API answered at least once, so the run has a cost."""
    finished: bool = False
    """The result event arrived, and no message of the main agent followed."""
    is_error: bool = False
    subtype: str | None = None
    error: str | None = None
    """Class of the API error that ended the run: authentication_failed, rate_limit, ..."""
    api_error: str | None = None
    """The CLI's more specific name of it, if any: usage_limit_reached, tls_untrusted_ca, ..."""
    status: int | None = None
    """HTTP status of that error."""
    limit_rejected: bool = False
    limit_resets_at: float | None = None
    limit_name: str = ""
    """Of the rejected limit, else of the last report: five_hour, seven_day, seven_day_opus, ..."""
    windows: tuple[Window, ...] = ()
    """The last report of each limit, if the CLI gave any."""
    auth_retries: int = 0
    cost_usd: float | None = None
    model: str = ""
    """The model that answered last, by its full name."""
    tokens: int = 0
    denials: tuple[str, ...] = ()
    """Names of tools that were denied."""
    text: str = ""
    """The last text, for display only."""
    ended: EndReason = "itself"
    exit_code: int | None = None
    """None if the loop did not see it exit (recovery)."""
    seconds: float = 0.0
    left_over: tuple[str, ...] = ()
    """Processes that the loop had to end."""
    stderr: str = ""
    """The last part of it."""

    @property
    def started(self) -> bool:
        """Whether the CLI started. Before init, it has no cost."""
        return self.init is not None

    @property
    def last_output(self) -> str:
        """Claude's last output, as a sentence to append: its result, else stderr. If the init event
        ended the run, the value in it that was wrong."""
        if self.init and self.ended in ("payer", "mode"):
            source, mode = self.init.key_source, self.init.mode
            name = f"apiKeySource {source}" if self.ended == "payer" else f"permissionMode {mode}"
            return f" Claude reported: {name}."
        words = (self.finished and self.text) or self.stderr or self.text
        return f" Last output: {words}" if words else ""

    def after(self, event: Event) -> RunResult:
        """Return the result updated by an event. Unknown and malformed events change nothing."""
        kind = event.get("type")
        if kind == "system":
            return self._system(event)
        if kind == "assistant" and event.get("parent_tool_use_id") is None:
            return self._assistant(event)
        if kind == "user" and event.get("parent_tool_use_id") is None:
            return self._replace(finished=False)
        if kind == "rate_limit_event":
            return self._limit(mapping(event.get("rate_limit_info")))
        return self._result(event) if kind == "result" else self

    def _limit(self, info: Mapping[str, Any]) -> RunResult:
        # Paid usage beyond the plan, if the owner allows it, does not count as a limit.
        rejected = info.get("status") == "rejected" and info.get("isUsingOverage") is not True
        name, now = str(info.get("rateLimitType") or ""), self._replace(windows=self._windows(info))
        if self.limit_rejected and not rejected and name != self.limit_name:
            return now  # the report of another limit
        resets = number(info.get("resetsAt"))
        return now._replace(limit_rejected=rejected, limit_resets_at=resets, limit_name=name)

    def _windows(self, info: Mapping[str, Any]) -> tuple[Window, ...]:
        name, used = info.get("rateLimitType"), number(info.get("utilization"))
        resets = number(info.get("resetsAt"))
        if not isinstance(name, str) or used is None or resets is None:
            return self.windows
        others = tuple(window for window in self.windows if window.name != name)
        return (*others, Window(name, used, resets))

    def _system(self, event: Event) -> RunResult:
        if init := Init.of(event):
            return self._replace(init=init, session_id=str(event.get("session_id") or ""))
        if event.get("subtype") == "api_retry":
            refused = event.get("error_status") in AUTH_STATUSES
            return self._replace(auth_retries=self.auth_retries + 1 if refused else 0)
        return self

    def _assistant(self, event: Event) -> RunResult:
        text = " ".join(
            str(b.get("text", "")) for b in content(event) if b.get("type") == "text"
        ).strip()
        failed = event.get("is_api_error_message") is True
        error, kind = event.get("error"), event.get("api_error")
        return self._replace(
            answered=self.answered or not failed,
            finished=False,
            model=self.model if failed else str(mapping(event.get("message")).get("model") or ""),
            error=(error if isinstance(error, str) else "unknown") if failed else None,
            api_error=kind if failed and isinstance(kind, str) else None,
            status=_status(event) if failed else None,
            auth_retries=self.auth_retries if failed else 0,
            text=text[-2000:] or self.text,
        )

    def _result(self, event: Event) -> RunResult:
        is_error = event.get("is_error") is True
        denials = [mapping(d).get("tool_name") for d in items(event.get("permission_denials"))]
        subtype = event.get("subtype")
        text = str(event.get("result") or "").partition(PROMPT_AGAIN)[0].strip()
        error = self.error or ("unknown" if event.get("terminal_reason") == "api_error" else None)
        return self._replace(
            finished=True,
            is_error=is_error,
            subtype=subtype if isinstance(subtype, str) else None,
            error=error if is_error else None,
            api_error=self.api_error if is_error else None,
            status=(_status(event) or self.status) if is_error else None,
            cost_usd=number(event.get("total_cost_usd")),
            tokens=_tokens(event),
            denials=tuple(str(name) for name in denials if name),
            text=text[:2000] or self.text,
        )


@final
class Reader:
    """Splits a growing log into events and keeps `result` up to date."""

    def __init__(self) -> None:
        self.result = RunResult()
        self._line = bytearray()
        self._skipping = False

    def follow(self, log: IO[bytes], show: Callable[[Event], None]) -> None:
        """Read what was added. Of a very long log only the beginning and the end are read."""
        size = os.fstat(log.fileno()).st_size
        while log.tell() < size and (data := log.read(CHUNK)):
            for event in self.feed(data):
                show(event)
            if log.tell() < size - MAX_LINE_BYTES:
                log.seek(size - END)
                self._skip_line()

    def feed(self, data: bytes) -> list[Event]:
        """Parse more data and return the completed events. Other lines are skipped."""
        head, *lines = data.split(b"\n")
        self._line += head
        if lines:
            first, self._line = bytes(self._line), bytearray(lines.pop())
            lines = lines if self._skipping else [first, *lines]
            self._skipping = False
        if len(self._line) > MAX_LINE_BYTES:
            self._skip_line()
        lines = [line for line in lines if line[:1] == b"{" and b'"type"' in line]
        found = [event for line in lines if (event := mapping(parse(line)))]
        for event in found:
            self.result = self.result.after(event)
        return found

    def _skip_line(self) -> None:
        self._line.clear()
        self._skipping = True


def content(event: Event) -> list[Mapping[str, Any]]:
    """Return the content blocks of an assistant or user event."""
    return [mapping(block) for block in items(mapping(event.get("message")).get("content"))]


def _tokens(event: Event) -> int:
    """Sum the tokens of all models. `usage` omits subagents and a last call over budget."""
    counts = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    models = mapping(event.get("modelUsage")).values()
    return int(sum(number(mapping(model).get(count)) or 0 for model in models for count in counts))


def _status(event: Event) -> int | None:
    status = number(event.get("api_error_status"))
    return None if status is None else int(status)
