"""The forecast of the cost: before the approval, in --status, and compared at the end."""

from __future__ import annotations

import json

import pytest

from samocode.decide.forecast import forecast
from samocode.record.state import SessionState, Spent
from tests.outer.stage import DONE, EXIT, TO_DONE, TO_PLANNING, Stage

PLAN = "# Plan\n\n## Phase 1: a\n- [x] b\n\n## Phase 2: c\n1. [ ] d\n- [ ] e\n\n## Notes\n- [ ] f\n"
PHASES = "\n\n".join(f"## Phase {n}: x\n- [ ] y" for n in range(1, 4))


@pytest.mark.parametrize(
    ("spent", "plan", "says"),
    [
        ({}, PHASES, None),
        ({"planning": Spent(1, 0.0, 60.0)}, PHASES, None),
        ({"planning": Spent(1, 0.5, 60.0)}, "# No phases\n- [ ] a", None),
        ({"planning": Spent(1, 0.5, 60.0)}, PLAN, "1 phase open, then 3 more"),
        (
            {"planning": Spent(1, 0.5, 60.0), "requirements": Spent(3, 1.1, 60.0)},
            PHASES,
            "an iteration cost 0.40 USD on average: about 2.40 USD to the end",
        ),
        (
            {"planning": Spent(1, 9.0, 60.0), "implementation": Spent(2, 1.8, 60.0)},
            PHASES,
            "an iteration cost 0.90 USD on average: about 5.40 USD to the end",
        ),
    ],
)
def test_a_forecast(spent: dict[str, Spent], plan: str, says: str | None) -> None:
    """The forecast is the average cost of an implementation iteration, else of any, for each open
    phase and three more iterations. Only boxes inside phases count."""
    found = forecast(SessionState(spent=spent), plan)
    assert (found is None) is (says is None)
    assert says is None or says in str(found)


def test_a_session_is_forecast_and_compared(stage: Stage) -> None:
    """The forecast is in the question and in --status, and is compared with the cost at the end."""
    plan = f"plan(words={PHASES!r})"
    work = "commit('a.py', str(NUMBER)); signal('continue')"
    stage.script(TO_PLANNING, plan, work, work, "work(); " + TO_DONE, DONE)
    assert stage.begin(*EXIT).code == 4
    asked = "Forecast: 3 phases open, then 3 more iterations; an iteration cost 0.25 USD on average"
    assert asked in (stage.session / "_qa.md").read_text()
    assert stage.run("--yes", "--max-iterations", "2").code == 5
    status = stage.run("--status").out
    assert "implementation 0.50 USD in " in status and "Forecast:  3 phases open" in status
    report = json.loads(stage.run("--status", "--json").out)
    assert report["spent"]["implementation"]["runs"] == 2
    assert report["forecast"]["usd"] == 1.5
    ended = stage.run()
    assert ended.code == 0
    assert "Forecast when you approved the plan: 1.50 USD. It cost 1.00 USD." in ended.out
