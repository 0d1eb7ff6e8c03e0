"""The harness itself: a script that tells a whole session, and a CLI that nobody has to trust."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.api import ScriptedApi
from tests.real.cli import NoCli, clean_env, find_cli
from tests.real.conftest import give_up
from tests.replies import Text
from tests.script import Request, SessionScript


def post(url: str, body: Request) -> Request:
    """POST JSON, answered by JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        parsed: Request = json.loads(answer.read())
        return parsed


def test_a_request_without_tools_eats_no_turn() -> None:
    """Titles and probes are answered aside; counting tokens is no message at all."""
    probe: Request = {"model": "small", "messages": [{"role": "user", "content": "quota"}]}
    with ScriptedApi([Text("scripted")]) as api:
        assert post(f"{api.url}/v1/messages", probe)["content"][0]["text"] == "ok"
        assert post(f"{api.url}/v1/messages/count_tokens", probe)["input_tokens"] > 0
    assert (api.requests, api.side_requests) == ([], [probe])


def test_a_broken_script_fails_the_test() -> None:
    """What a script raises is not lost in a server thread."""
    asked: Request = {"model": "m", "messages": [], "tools": [{"name": "Bash", "input_schema": {}}]}
    with pytest.raises(KeyError, match="7"), ScriptedApi(SessionScript({}, lambda: 7)) as api:
        try:
            post(f"{api.url}/v1/messages", asked)
        except urllib.error.HTTPError as refused:
            assert refused.code == 400
            refused.close()


def test_an_address_that_is_not_this_machine_is_refused(tmp_path: Path) -> None:
    """No environment of a test can lead a claude outside."""
    for url in ("https://api.anthropic.com", "http://127.0.0.1.example.com:80", "http://10.0.0.1"):
        with pytest.raises(AssertionError, match="not loopback"):
            clean_env(tmp_path, url)


def test_a_named_binary_is_taken_and_checked(tmp_path: Path) -> None:
    """SAMOCODE_TEST_CLAUDE wins over the cache; a wrong one is named."""
    binary = tmp_path / "claude"
    binary.write_text("")
    with pytest.raises(NoCli, match="not an executable"):
        find_cli({"SAMOCODE_TEST_CLAUDE": str(binary)})
    binary.chmod(0o755)
    assert find_cli({"SAMOCODE_TEST_CLAUDE": str(binary)}) == binary


def test_without_npm_the_tests_are_skipped_and_ci_fails(tmp_path: Path) -> None:
    """A machine without Node.js can run the rest; in CI nothing is left out in silence."""
    with pytest.raises(NoCli, match="npm") as missing:
        find_cli({"PATH": str(tmp_path)}, cache=tmp_path / "cache")
    with pytest.raises(NoCli, match="no network"):
        find_cli({"TESTS_ISOLATED": "1"}, cache=tmp_path / "cache")
    for environ, outcome in (({}, pytest.skip.Exception), ({"CI": "true"}, pytest.fail.Exception)):
        with pytest.raises(outcome, match="npm"):
            give_up(str(missing.value), environ)
