"""What the loop reads from the CLI's output, in real recordings and in arbitrary bytes."""

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode.child import stream
from samocode.child.stream import Reader, RunResult
from samocode.record import untrusted

RECORDED = Path(__file__).with_name("fakes") / "events"
RESETS = 1_800_000_000
FINE: dict[str, Any] = {"is_error": False, "error": None, "subtype": "success", "denials": ()}
FAILED = FINE | {"is_error": True}


def api(error: str, status: int | None, **more: Any) -> dict[str, Any]:
    """The facts of a run that an API failure ended."""
    return FAILED | {"error": error, "status": status, "limit_rejected": False} | more


TABLE: dict[str, dict[str, Any]] = {
    "auth_401": api("authentication_failed", 401, auth_retries=1),
    "auth_401_token": api("authentication_failed", 401, auth_retries=2),
    "background": FINE | {"text": "All done."},
    "billing_400": api("billing_error", 400),
    "denied": FINE | {"denials": ("Bash", "Write")},
    "dropped": api("server_error", None),
    "forbidden_403": api("authentication_failed", 403),
    "helper": FINE,
    "hook_blocked": FINE,
    "invalid_400": api("unknown", 400),
    "limit_warning": FINE | {"limit_resets_at": RESETS, "limit_rejected": False},
    "max_budget": FAILED | {"subtype": "error_max_budget_usd", "tokens": 2460, "cost_usd": 0.00328},
    "max_turns": FAILED | {"subtype": "error_max_turns"},
    "model_404": api("model_not_found", 404),
    "normal": FINE,
    "not_logged_in": api("authentication_failed", None),
    "org_403": api("oauth_org_not_allowed", 403),
    "overloaded_529": api("server_error", 529, auth_retries=0),
    "rate_limit_429": api("rate_limit", 429),
    "refused": api("server_error", None),
    "server_500": api("server_error", 500),
    "spend_limit_400": api("unknown", 400),
    "too_large_413": api("invalid_request", 413),
    "usage_limit": api("rate_limit", 429, limit_rejected=True, limit_resets_at=RESETS),
}
"""Recording of claude 2.1.332 (bench/record.py) -> the facts that decide."""


def read(data: bytes, *cuts: int) -> RunResult:
    reader = Reader()
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        reader.feed(data[start:end])
    return reader.result


def line(kind: str, subtype: str = "", **event: Any) -> bytes:
    """One event as the CLI prints it."""
    return json.dumps({"type": kind, "subtype": subtype} | event).encode() + b"\n"


def limit(name: str, status: str) -> bytes:
    """The report of one usage limit."""
    return line("rate_limit_event", rate_limit_info={"rateLimitType": name, "status": status})


INIT, RESULT = line("system", "init", session_id="s"), line("result", total_cost_usd=1)
SAID = line("assistant", message={"content": []}, parent_tool_use_id=None)
HELPER = line("user", parent_tool_use_id="a helper")
REFUSED = line("system", "api_retry", error_status=401)


@pytest.mark.parametrize("name", sorted({path.stem for path in RECORDED.iterdir()} | set(TABLE)))
def test_recordings(name: str) -> None:
    found = read((RECORDED / f"{name}.jsonl").read_bytes())
    assert found.started and found.finished and found.cost_usd is not None
    assert {key: getattr(found, key) for key in TABLE[name]} == TABLE[name]


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (INIT, {"started": True, "finished": False, "session_id": "s"}),
        (INIT + RESULT + SAID, {"finished": False}),  # background work goes on after a result
        (INIT + RESULT + SAID + RESULT, {"finished": True}),
        (INIT + RESULT + line("user", parent_tool_use_id=None), {"finished": False}),
        (INIT + RESULT + HELPER, {"finished": True}),
        (REFUSED * 3, {"auth_retries": 3}),
        (REFUSED * 2 + line("system", "api_retry", error_status=529) + REFUSED,
            {"auth_retries": 1}),
        (REFUSED * 2 + SAID + REFUSED, {"auth_retries": 1}),
        (line("assistant", parent_tool_use_id="t", is_api_error_message=True,
            error="billing_error", message={}), {"error": None}),  # a helper's failure
        *((line("rate_limit_event", rate_limit_info={"status": "rejected", "isUsingOverage": paid}),
            {"limit_rejected": paid is not True}) for paid in (True, False, None, "true")),
        (limit("five_hour", "rejected") + limit("seven_day", "allowed"),
            {"limit_rejected": True, "limit_name": "five_hour"}),
        (limit("five_hour", "rejected") + limit("five_hour", "allowed"), {"limit_rejected": False}),
        (line("result", is_error=True, api_error_status=402, terminal_reason="api_error"),
            {"error": "unknown", "status": 402}),
    ],
)  # fmt: skip
def test_facts(data: bytes, facts: dict[str, Any]) -> None:
    """A used-up limit is ignored while the account pays for more (isUsingOverage)."""
    found = read(data)
    assert {key: getattr(found, key) for key in facts} == facts


NOT_NUMBERS = [10**400, -(10**400), 1e999, float("nan"), True, "5", None, [5]]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: str(value)[:9])
def test_what_is_not_a_number_counts_nothing(value: Any) -> None:
    assert untrusted.number(value) is None
    found = read(
        line("rate_limit_event", rate_limit_info={"status": "rejected", "resetsAt": value})
        + line("assistant", message={"content": value}, is_api_error_message=True,
            api_error_status=value, parent_tool_use_id=None)
        + line("result", total_cost_usd=value, num_turns=value, permission_denials=value,
            modelUsage={"m": {"inputTokens": value}}, is_error=True, api_error_status=value)
    )  # fmt: skip
    assert (found.limit_resets_at, found.cost_usd, found.status) == (None, None, None)
    assert found.tokens == 0


KEYS = [
    "type", "subtype", "message", "content", "is_error", "error", "parent_tool_use_id", "text",
    "total_cost_usd", "permission_denials", "rate_limit_info", "status", "resetsAt", "modelUsage",
    "num_turns", "tool_name", "is_api_error_message", "api_error_status", "error_status",
]  # fmt: skip
WORDS = [
    "system", "init", "assistant", "user", "result", "rate_limit_event", "api_retry", "rejected",
    "text",
]  # fmt: skip
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


@given(logs, st.lists(st.integers(0, 30_000), max_size=6))
def test_any_bytes_cut_anywhere_give_the_same_result(data: bytes, cuts: list[int]) -> None:
    whole = read(data)
    assert read(data, *(min(cut, len(data)) for cut in cuts)) == whole
    for event in Reader().feed(data + b"\n"):
        stream.content(event)


def test_a_huge_line_does_not_stay_in_memory() -> None:
    """A line of 64 MB of a tool's output is skipped, and the events after it count."""
    reader = Reader()
    piece = b"x" * (1 << 20)
    tracemalloc.start()
    for _ in range(64):
        reader.feed(piece)
    reader.feed(RESULT)
    assert not reader.result.finished, "this is the end of that line"
    reader.feed(RESULT + line("tomorrow"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reader.result.finished and peak < 15 << 20
