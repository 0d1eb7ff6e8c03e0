"""The user's own hooks may take as long as the CLI lets them."""

import json

import pytest

from tests.api import ScriptedApi, SessionScript
from tests.real.sessions import RealProject, signal

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("event", "seconds"), [("SessionStart", 6), ("SessionEnd", 6)])
def test_a_slow_hook_is_waited_for(project: RealProject, event: str, seconds: int) -> None:
    """It ends by itself, and the iteration counts."""
    home, ended = project.folder / "home/.claude", project.folder / "hook-ended"
    home.mkdir(parents=True)
    command = f"sleep {seconds}; touch '{ended}'"
    hook = {"hooks": [{"type": "command", "command": command, "timeout": 60}]}
    (home / "settings.json").write_text(json.dumps({"hooks": {event: [hook]}}))
    project.extra |= {"FAKE_INIT_GRACE": "3", "FAKE_RESULT_GRACE": "2"}
    with ScriptedApi(SessionScript({1: [signal("done", summary="s")]}, project.iteration)) as api:
        project.api = api.url
        ran = project.run(task="t")
    assert project.outcomes() == ["done"], ran.stdout
    assert ended.exists()
