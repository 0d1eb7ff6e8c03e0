"""Every setting: its default, its line in .env.example, and what is said of a wrong value."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode.record.exits import UserError
from samocode.settings.table import ProjectTable, RunTable
from tests.place import Place, made
from tests.telegram_api import CHAT, TOKEN

ROOT = Path(__file__).parent.parent


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path.resolve() / "a place"
    folder.mkdir()
    return made(folder)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"CLAUDE_TIMEOUT": "nan"}, "CLAUDE_TIMEOUT: 'nan' is not a number of seconds"),
        ({"CLAUDE_TIMEOUT": "1e400"}, "CLAUDE_TIMEOUT: '1e400' is not"),
        ({"SAMOCODE_MAX_ITERATIONS": "0"}, "SAMOCODE_MAX_ITERATIONS: 0 lets nothing run: write 1"),
        ({"SAMOCODE_MAX_COST": "-1"}, "SAMOCODE_MAX_COST: '-1' is not a number of dollars"),
        ({"SAMOCODE_MAX_WAIT": "inf"}, "SAMOCODE_MAX_WAIT: 'inf' is not"),
        ({"CLAUDE_MODEL": "a\nb"}, "CLAUDE_MODEL: .* is not a name"),
        ({"CLAUDE_MODEL": "caf\udce9"}, "CLAUDE_MODEL: .* is not a name"),
        ({"CLAUDE_PERMISSION_MODE": "plan"}, "'plan' is not one of accept"),
        ({"CLAUDE_PERMISSION_MODE": "Auto"}, "'Auto' is not one of accept"),
        ({"CLAUDE_ARGS": "--x 'a"}, "CLAUDE_ARGS: No closing quotation: write"),
        ({"CLAUDE_ARGS": "--model=x"}, "CLAUDE_ARGS: leave --model out: Samocode sets it"),
        (
            {"CLAUDE_ARGS": "--dangerously-skip-permissions"},
            "leave --dangerously-skip-perm.* out: Samocode sets it",
        ),
        (
            {"CLAUDE_ARGS": "-c --settings {}"},
            "leave --settings, -c out: Samocode sets it, by a setting if",
        ),
        ({"TELEGRAM_BOT_TOKEN": TOKEN}, "TELEGRAM_CHAT_ID need each other: set both"),
        ({"TELEGRAM_CHAT_ID": CHAT}, "TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID need each other"),
        ({"TELEGRAM_BOT_TOKEN": f"{TOKEN} ", "TELEGRAM_CHAT_ID": "me"}, "is not a chat: write"),
        ({"TELEGRAM_BOT_TOKEN": "bot1:x/", "TELEGRAM_CHAT_ID": CHAT}, "not a bot token: copy all"),
        ({"TELEGRAM_API_URL": "127.0.0.1:80"}, "TELEGRAM_API_URL: it is not a web address such as"),
        ({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": "٣"}, "is not a chat: write"),
        ({"TELEGRAM_API_URL": "http://x/?a"}, "TELEGRAM_API_URL: it is not"),
        ({"TELEGRAM_API_URL": "http://x:99999"}, "TELEGRAM_API_URL: it is not"),
        ({"TELEGRAM_API_URL": "http://[::1"}, "TELEGRAM_API_URL: it is not"),
        ({"SAMOCODE_MAXCOST": "1"}, r"'SAMOCODE_MAXCOST' .*\(nearest: SAMOCODE_MAX_COST\): unset"),
        ({"PATH": "/nowhere"}, "'claude' is not on PATH: install it .npm install -g @anthropic-ai"),
        ({"PATH": ""}, "'claude' is not on PATH"),
        ({"CLAUDE_PATH": "../bin/gone"}, "'../bin/gone' is not executable: install"),
        ({"CLAUDE_PATH": "~/"}, "'~/' is not executable"),
        ({"CLAUDE_PATH": "../.samocode"}, "'../.samocode' is not executable"),
    ],
)
def test_a_wrong_value_names_its_key_and_the_remedy(
    place: Place, env: dict[str, str], says: str
) -> None:
    (problem,) = place.problems(env=env)
    assert re.search(says, problem)
    assert TOKEN not in problem
    assert "\n" not in problem


def test_a_copied_example_changes_nothing(place: Place) -> None:
    before = vars(place.load())
    place.env_file.write_text((ROOT / ".env.example").read_text())
    after = vars(place.load())
    assert {**after, "project": None} == {**before, "project": None}


NAMES = st.sampled_from([*RunTable.keys(), *ProjectTable.keys()])
LINES = st.builds("{}={}".format, NAMES, st.text()) | st.text()


@given(st.lists(LINES), st.lists(LINES), st.dictionaries(NAMES, st.text()))
def test_whatever_stands_there_gives_settings_or_problems(
    dots: list[str], env_file: list[str], env: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = made(Path(name).resolve())
        place.dots.write_bytes("\n".join(dots).encode("utf-8", "surrogatepass"))
        place.env_file.write_bytes("\n".join(env_file).encode("utf-8", "surrogatepass"))
        try:
            place.load(env=env)
        except UserError as error:
            assert all(error.problems)
