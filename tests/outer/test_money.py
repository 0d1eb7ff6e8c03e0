"""The caps of a session on cost and iterations."""

from __future__ import annotations

from tests.outer.stage import DONE, WORK, Stage

SLACK = 0.001  # USD, since a budget is given to claude in four digits


def test_no_child_may_spend_more_than_is_left(stage: Stage) -> None:
    """Each child gets a budget of at most the cap minus what was spent before."""
    stage.script(default="RESULT.update(total_cost_usd=BUDGET / 3); " + WORK)
    assert stage.begin("--max-cost", "1", "--max-iterations", "6").code == 5
    assert len(stage.budgets) == len(stage.spent) == 6
    for n, budget in enumerate(stage.budgets):
        assert 0 < budget <= 1 - sum(stage.spent[:n]) + SLACK


def test_success_on_the_last_allowed_iteration_is_success(stage: Stage) -> None:
    """If the last allowed iteration ends with done, the exit code is 0."""
    stage.script(WORK, DONE)
    assert stage.begin("--max-iterations", "2", "--max-cost", "0.5").code == 0
