"""How a run of the Claude CLI says that it failed, asked of the real program.

The loop classifies by these fields; when a newer CLI changes one, the loop has to follow.
"""

import os

import pytest

from tests import replies
from tests.api import ScriptedApi
from tests.real.cli import Cli, as_subscriber, clean_env, only
from tests.replies import Error, Text, Turn, bash, limit_headers, usage_limit

pytestmark = pytest.mark.real

DONE = Text("Done.")
RESET = 4_000_000_000  # epoch seconds, far away
NO_RETRY = {"CLAUDE_CODE_MAX_RETRIES": "0"}
ONE_RETRY = {"CLAUDE_CODE_MAX_RETRIES": "1"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (replies.CREDIT, "billing_error"),
        (replies.SPEND_LIMIT, "unknown"),
        (replies.INVALID, "unknown"),
        (replies.BAD_KEY, "authentication_failed"),
        (replies.FORBIDDEN, "authentication_failed"),
        (replies.NO_MODEL, "model_not_found"),
        (replies.TOO_LARGE, "invalid_request"),
        (replies.RATE_LIMITED, "rate_limit"),
        (replies.SERVER_ERROR, "server_error"),
        (replies.OVERLOADED, "server_error"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Error) else value,
)
def test_an_api_error_is_told_by_its_assistant_event(cli: Cli, reply: Error, error: str) -> None:
    """Status and class stand in the event; the result calls itself success and is an error.

    Most 400s are "unknown": the status says more than the class.
    """
    with ScriptedApi([reply]) as api:
        ran = cli.run(clean_env(cli.home, api.url) | NO_RETRY)
    keys = ("is_api_error_message", "error", "api_error_status", "api_error_type")
    expected = (True, error, reply.status, reply.type)
    assert only(ran.one("assistant"), *keys) == dict(zip(keys, expected, strict=True))
    result = only(ran.one("result"), "subtype", "is_error", "api_error_status")
    assert result == {"subtype": "success", "is_error": True, "api_error_status": reply.status}
    assert (ran.exit, ran.all("system", "api_retry")) == (1, [])


@pytest.mark.parametrize(
    ("reply", "error"),
    [(replies.BAD_KEY, "authentication_failed"), (replies.OVERLOADED, "overloaded")],
)
def test_a_retry_is_announced_with_status_and_class(cli: Cli, reply: Error, error: str) -> None:
    """api_retry names the status; its class is not always the word of the assistant event."""
    with ScriptedApi([reply]) as api:
        ran = cli.run(clean_env(cli.home, api.url) | ONE_RETRY)
    retry = only(ran.one("system", "api_retry"), "attempt", "max_retries", "error_status", "error")
    numbers = {"attempt": 1, "max_retries": 1, "error_status": reply.status}
    assert (retry, len(api.requests)) == (numbers | {"error": error}, 2)


def test_a_usage_limit_says_at_once_until_when(cli: Cli) -> None:
    """A subscription's 429: a rejected rate_limit_event with resetsAt, and no retry."""
    with ScriptedApi([usage_limit(RESET)]) as api:
        ran = cli.run(as_subscriber(clean_env(cli.home, api.url)))
    limit = only(ran.one("rate_limit_event")["rate_limit_info"], "status", "resetsAt")
    assert limit == {"status": "rejected", "resetsAt": RESET}
    error = only(ran.one("assistant"), "error", "api_error", "api_error_status")
    words = {"error": "rate_limit", "api_error": "usage_limit_reached", "api_error_status": 429}
    assert (error, ran.one("result")["api_error_status"]) == (words, 429)
    assert (ran.exit, len(api.requests)) == (1, 1)


def test_a_near_limit_is_an_event_and_no_error(cli: Cli) -> None:
    """allowed_warning with the share used; the run goes on."""
    near = Turn((DONE,), headers=limit_headers("allowed_warning", RESET, 0.93))
    with ScriptedApi([near]) as api:
        ran = cli.run(as_subscriber(clean_env(cli.home, api.url)))
    limit = only(ran.one("rate_limit_event")["rate_limit_info"], "status", "utilization")
    assert (limit, ran.exit) == ({"status": "allowed_warning", "utilization": 0.93}, 0)


def test_a_refused_connection_has_no_status(cli: Cli) -> None:
    """Nobody listens: server_error, api_error connection_failed, the status absent or null."""
    with ScriptedApi([DONE]) as gone:
        pass
    ran = cli.run(clean_env(cli.home, gone.url) | NO_RETRY)
    error = only(ran.one("assistant"), "error", "api_error", "api_error_status")
    assert error == {"error": "server_error", "api_error": "connection_failed"}
    assert (ran.exit, ran.one("result")["api_error_status"]) == (1, None)


def test_nobody_logged_in_is_an_authentication_error_without_a_request(cli: Cli) -> None:
    """No key, no token: init says none, the error comes without asking the API."""
    with ScriptedApi([DONE]) as api:
        env = clean_env(cli.home, api.url)
        ran = cli.run({name: env[name] for name in env if name != "ANTHROPIC_API_KEY"})
    assert ran.one("system", "init")["apiKeySource"] == "none"
    error = only(ran.one("assistant"), "is_api_error_message", "error", "api_error_status")
    assert error == {"is_api_error_message": True, "error": "authentication_failed"}
    assert (ran.exit, api.requests) == (1, [])


@pytest.mark.parametrize(
    ("flags", "subtype", "reason"),
    [
        (["--max-turns", "1"], "error_max_turns", "max_turns"),
        (["--max-budget-usd", "0.0000001"], "error_max_budget_usd", "budget_exhausted"),
    ],
)
def test_a_cap_ends_with_its_own_subtype(
    cli: Cli, flags: list[str], subtype: str, reason: str
) -> None:
    """Such a result has `errors` and neither `result` nor `api_error_status`."""
    with ScriptedApi([bash("true")]) as api:
        ran = cli.run(clean_env(cli.home, api.url), *flags)
    result = ran.one("result")
    assert (result["subtype"], result["terminal_reason"]) == (subtype, reason)
    assert (ran.exit, result["is_error"], len(result["errors"])) == (1, True, 1)
    assert not {"result", "api_error_status"} & set(result)
    spent = sum(model["outputTokens"] for model in result["modelUsage"].values())
    assert spent == 20 * len(api.requests), "modelUsage counts every call, usage may not"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is asked for a sandbox")
@pytest.mark.parametrize(("value", "code"), [("1", 0), ("yes", 1), ("", 1)])
def test_root_needs_is_sandbox_1(cli: Cli, value: str, code: int) -> None:
    """No other word will do: exit 1, one line on stderr and no event."""
    with ScriptedApi([DONE]) as api:
        ran = cli.run(clean_env(cli.home, api.url) | {"IS_SANDBOX": value})
    assert ran.exit == code
    assert ("root" in ran.stderr, ran.stdout == "") == (code == 1, code == 1)
