"""What the scripted model can answer: the values a test writes its scripts with."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Usage:
    """Token counts of one answer, as the API reports them. The CLI computes the cost from them."""

    input: int = 10
    cache_write: int = 200
    cache_read: int = 1000
    output: int = 20

    def as_json(self) -> dict[str, int]:
        """The `usage` object of a message."""
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cache_read,
            "output_tokens": self.output,
        }


@dataclass(frozen=True)
class Text:
    """The model says something. An answer without a tool call ends the run."""

    text: str


@dataclass(frozen=True)
class Tool:
    """The model calls a tool, which the CLI really carries out."""

    name: str
    input: Mapping[str, object]


@dataclass(frozen=True)
class Turn:
    """One answer of several blocks, or one with its own token counts or response headers."""

    blocks: tuple[Text | Tool, ...]
    usage: Usage = Usage()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    stop: str = "end_turn"
    """Why an answer without a tool call ended."""


@dataclass(frozen=True)
class Error:
    """The API refuses: HTTP status, and type and message of its error object."""

    status: int
    type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Hang:
    """The connection stays open without a byte until the server closes."""


@dataclass(frozen=True)
class Drop:
    """The connection is closed without a byte."""


Reply = Text | Tool | Turn | Error | Hang | Drop


def bash(command: str) -> Tool:
    """A shell command, run by the real Bash tool in the working directory."""
    return Tool("Bash", {"command": command, "description": "scripted"})


def write(path: object, content: str) -> Tool:
    """By the real Write tool."""
    return Tool("Write", {"file_path": str(path), "content": content})


CREDIT = Error(400, "invalid_request_error", "Your credit balance is too low")
SPEND_LIMIT = Error(
    400, "invalid_request_error", "You have reached your specified API usage limits."
)
INVALID = Error(400, "invalid_request_error", "messages: at least one message is required")
BAD_KEY = Error(401, "authentication_error", "invalid x-api-key")
FORBIDDEN = Error(403, "permission_error", "Your API key may not use this resource")
NO_MODEL = Error(404, "not_found_error", "model: claude-nonesuch-9")
TOO_LARGE = Error(413, "request_too_large", "Request exceeds the maximum size")
RATE_LIMITED = Error(429, "rate_limit_error", "Too many requests this minute")
SERVER_ERROR = Error(500, "api_error", "Internal server error")
OVERLOADED = Error(529, "overloaded_error", "Overloaded")


def limit_headers(status: str, resets_at: int, utilization: float = 1.0) -> dict[str, str]:
    """The headers that make the CLI print a rate_limit_event (subscription only). status: allowed,
    allowed_warning (which needs the threshold header) or rejected. resets_at: epoch seconds."""
    prefix = "anthropic-ratelimit-unified"
    return {
        f"{prefix}-status": status,
        f"{prefix}-reset": str(resets_at),
        f"{prefix}-representative-claim": "five_hour",
        f"{prefix}-5h-status": status,
        f"{prefix}-5h-reset": str(resets_at),
        f"{prefix}-5h-utilization": str(utilization),
        **({f"{prefix}-5h-surpassed-threshold": "0.9"} if status == "allowed_warning" else {}),
    }


def usage_limit(resets_at: int) -> Error:
    """A subscription's usage limit, open again at `resets_at` (epoch seconds)."""
    return Error(429, "rate_limit_error", "Limit reached", limit_headers("rejected", resets_at))
