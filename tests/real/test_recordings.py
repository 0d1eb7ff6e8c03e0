"""The recordings of the real CLI are made again and compared in the fields that the loop uses.

If a newer CLI changes one of these fields, the loop has to change.
"""

import os
from pathlib import Path

import pytest

from bench.record import record
from tests.api import ScriptedApi
from tests.real.cli import Cli, clean_env
from tests.replies import Text
from tests.test_events import TABLE, read

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", TABLE)
def test_the_cli_ends_a_run_as_the_recording_says(claude: Path, tmp_path: Path, name: str) -> None:
    """A new recording has the same API error, status, limit, cap and denied tools as the old."""
    found = read(record(claude, name, tmp_path / name.replace("_", "-")).encode())
    assert found.started and found.finished and found.cost_usd is not None
    assert {key: getattr(found, key) for key in TABLE[name]} == TABLE[name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is asked for a sandbox")
@pytest.mark.parametrize(("value", "code"), [("1", 0), ("yes", 1), ("", 1)])
def test_root_needs_is_sandbox_1(cli: Cli, value: str, code: int) -> None:
    """As root, any other value of IS_SANDBOX ends with 1, a line on stderr and no event."""
    with ScriptedApi([Text("Done.")]) as api:
        ran = cli.run(clean_env(cli.home, api.url) | {"IS_SANDBOX": value})
    assert ran.exit == code
    assert ("root" in ran.stderr, ran.stdout == "") == (code == 1, code == 1)
