"""What the CLI's output tells: real recordings, and any bytes cut anywhere."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samocode.child import stream
from samocode.child.stream import Reader, RunResult
from samocode.record import untrusted

RECORDED = Path(__file__).with_name("fakes") / "events"
API_ERROR = {"finished": True, "is_error": True, "subtype": "success", "limit_rejected": False}
FINE = {"finished": True, "is_error": False, "error": None, "subtype": "success", "denials": ()}
TABLE: dict[str, dict[str, Any]] = {
    "auth_401": API_ERROR | {"error": "authentication_failed", "status": 401, "auth_retries": 1},
    "auth_401_token": API_ERROR | {"error": "authentication_failed", "status": 401,
        "auth_retries": 2},
    "background": FINE | {"text": "All done."},
    "billing_400": API_ERROR | {"error": "billing_error", "status": 400},
    "denied": {"finished": True, "is_error": False, "error": None, "denials": ("Bash", "Write")},
    "dropped": API_ERROR | {"error": "server_error", "status": None},
    "forbidden_403": API_ERROR | {"error": "authentication_failed", "status": 403},
    "helper": FINE,
    "hook_blocked": FINE,
    "invalid_400": API_ERROR | {"error": "unknown", "status": 400},
    "limit_warning": FINE | {"limit_resets_at": 1_800_000_000.0, "limit_rejected": False},
    "max_budget": {"finished": True, "is_error": True, "error": None,
        "subtype": "error_max_budget_usd"},
    "max_turns": {"finished": True, "is_error": True, "error": None, "subtype": "error_max_turns"},
    "model_404": API_ERROR | {"error": "model_not_found", "status": 404},
    "not_logged_in": API_ERROR | {"error": "authentication_failed", "status": None},
    "normal": FINE,
    "org_403": API_ERROR | {"error": "oauth_org_not_allowed", "status": 403},
    "overloaded_529": API_ERROR | {"error": "server_error", "status": 529, "auth_retries": 0},
    "rate_limit_429": API_ERROR | {"error": "rate_limit", "status": 429},
    "refused": API_ERROR | {"error": "server_error", "status": None},
    "server_500": API_ERROR | {"error": "server_error", "status": 500},
    "spend_limit_400": API_ERROR | {"error": "unknown", "status": 400},
    "too_large_413": API_ERROR | {"error": "invalid_request", "status": 413},
    "usage_limit": API_ERROR | {"error": "rate_limit", "status": 429, "limit_rejected": True,
        "limit_resets_at": 1_800_000_000.0},
}  # fmt: skip
"""Recording of claude 2.1.332 (tests/real/record.py) -> the facts that decide."""


def read(data: bytes, *cuts: int) -> RunResult:
    """The result of a log that came in pieces."""
    reader = Reader()
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        reader.feed(data[start:end])
    return reader.result


def line(**event: Any) -> bytes:
    """One event as the CLI prints it."""
    return json.dumps(event).encode() + b"\n"


@pytest.mark.parametrize("name", sorted({path.stem for path in RECORDED.iterdir()} | set(TABLE)))
def test_recordings(name: str) -> None:
    found = read((RECORDED / f"{name}.jsonl").read_bytes())
    assert found.started and found.cost_usd is not None
    assert {key: getattr(found, key) for key in TABLE[name]} == TABLE[name]


def test_nothing_is_known_before_it_is_said() -> None:
    assert read(b"") == RunResult() == read(b"claude: a warning\n{}\n[]\n")
    empty = RunResult()
    assert not (empty.started or empty.finished or empty.is_error or empty.limit_rejected)
    found = read(line(type="system", subtype="init", session_id="s"))
    assert found.started and not found.finished and found.session_id == "s"


@pytest.mark.parametrize("overage", [True, False, None, "true"])
def test_extra_usage_is_no_limit(overage: object) -> None:
    """The window is used up, but the account pays for more: requests go through."""
    info = {"status": "rejected", "resetsAt": 1_800_000_000, "isUsingOverage": overage}
    found = read(line(type="rate_limit_event", rate_limit_info=info))
    assert found.limit_rejected is (overage is not True)


def test_the_status_may_stand_in_the_result_only() -> None:
    found = read(
        line(type="result", is_error=True, api_error_status=402, terminal_reason="api_error")
    )
    assert (found.error, found.status) == ("unknown", 402)


def test_tokens_and_cost_count_every_model_call() -> None:
    found = read((RECORDED / "max_budget.jsonl").read_bytes())
    assert (found.tokens, found.cost_usd) == (2460, 0.00328)


def test_a_result_is_final_only_until_something_follows() -> None:
    """Background work and hooks go on after a result event: the grace counts from the last."""
    start, result = line(type="system", subtype="init"), line(type="result", total_cost_usd=1)
    more = line(type="assistant", message={"content": []}, parent_tool_use_id=None)
    assert read(start + result).finished
    assert not read(start + result + more).finished
    assert read(start + result + more + result).finished
    assert not read(start + result + line(type="user", parent_tool_use_id=None)).finished
    assert read(start + result + line(type="user", parent_tool_use_id="a helper")).finished


def test_a_retry_that_succeeds_leaves_no_failure() -> None:
    refused = line(type="system", subtype="api_retry", error_status=401)
    said = line(type="assistant", message={"content": []}, parent_tool_use_id=None)
    assert read(refused * 3).auth_retries == 3
    assert (
        read(
            refused * 2 + line(type="system", subtype="api_retry", error_status=529) + refused
        ).auth_retries
        == 1
    )
    assert read(refused * 2 + said + refused).auth_retries == 1


def test_a_helper_failure_is_not_the_runs() -> None:
    helper = line(
        type="assistant",
        parent_tool_use_id="t",
        is_api_error_message=True,
        error="billing_error",
        message={},
    )
    assert read(helper).error is None


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**400), 1e999, float("nan"), True, "5", None, [5]],
    ids=lambda v: str(v)[:9],
)
def test_numbers_that_count_nothing(value: Any) -> None:
    """Whatever a line holds in the place of a number, it is passed over."""
    assert untrusted.number(value) is None
    found = read(
        line(type="rate_limit_event", rate_limit_info={"status": "rejected", "resetsAt": value})
        + line(type="assistant", message={"content": value}, is_api_error_message=True,
            api_error_status=value, parent_tool_use_id=None)
        + line(type="result", total_cost_usd=value, num_turns=value,
            modelUsage={"m": {"inputTokens": value}}, is_error=True,
               permission_denials=value, api_error_status=value)
    )  # fmt: skip
    assert (found.limit_resets_at, found.cost_usd, found.tokens, found.status) == (
        None,
        None,
        0,
        None,
    )


KEYS = ["type", "subtype", "message", "content", "is_error", "error", "parent_tool_use_id",
    "total_cost_usd",
        "permission_denials", "rate_limit_info", "status", "resetsAt", "modelUsage", "num_turns",
            "text",
        "is_api_error_message", "api_error_status", "tool_name", "error_status"]  # fmt: skip
WORDS = [
    "system",
    "init",
    "assistant",
    "user",
    "result",
    "rate_limit_event",
    "api_retry",
    "rejected",
    "text",
]
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS)
        | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner,
        max_size=6),
    max_leaves=15,
)  # fmt: skip
logs = st.lists(
    st.binary(max_size=20)
    | values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(sorted(TABLE)).map(lambda name: (RECORDED / f"{name}.jsonl").read_bytes()),
    max_size=4,
).map(b"\n".join)


@settings(deadline=None)  # a loaded machine is no bug
@given(logs, st.lists(st.integers(0, 30_000), max_size=6))
def test_any_bytes_cut_anywhere_give_the_same_result(data: bytes, cuts: list[int]) -> None:
    whole = read(data)
    assert read(data, *(min(cut, len(data)) for cut in cuts)) == whole
    for event in Reader().feed(data + b"\n"):
        stream.content(event)


def test_a_huge_line_does_not_stay_in_memory() -> None:
    """A tool's output of 64 MB on one line is passed over, and the events behind it count."""
    reader = Reader()
    piece = b"x" * (1 << 20)
    tracemalloc.start()
    for _ in range(64):
        reader.feed(piece)
    reader.feed(line(type="result", total_cost_usd=2))
    assert not reader.result.finished, "the end of that line, no event"
    reader.feed(line(type="result", total_cost_usd=1) + line(type="tomorrow"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reader.result.finished
    assert peak < 15 << 20, "the loop itself takes 25 MB"
