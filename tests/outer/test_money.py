"""What a session may spend, and how often it may try."""

from __future__ import annotations

from tests.outer.stage import DONE, WORK, Stage

SLACK = 0.001  # USD: a budget is handed over in four digits


def test_the_cost_cap_ends_the_session(stage: Stage) -> None:
    """Exit 5 when it is reached; the same cap again starts no child."""
    stage.script(default=WORK)
    assert stage.begin("--max-cost", "0.5").code == 5
    assert sum(stage.spent) == 0.5
    assert stage.run("--max-cost", "0.5").code == 5 and len(stage.spent) == 2


def test_no_child_may_spend_more_than_is_left(stage: Stage) -> None:
    """Each is given a budget, never more than the cap less what was spent before."""
    stage.script(default="RESULT.update(total_cost_usd=BUDGET / 3); " + WORK)
    assert stage.begin("--max-cost", "1", "--max-iterations", "6").code == 5
    assert len(stage.budgets) == len(stage.spent) == 6
    for n, budget in enumerate(stage.budgets):
        assert 0 < budget <= 1 - sum(stage.spent[:n]) + SLACK


def test_a_run_without_a_result_is_not_free(stage: Stage) -> None:
    """Nobody knows what a run cost that the time limit ended: the next one gets less."""
    stage.script(default="text('thinking'); time.sleep(600)")
    stage.begin("--max-cost", "8", "--timeout", "5", "--max-iterations", "2")
    first, second = stage.budgets
    assert second <= 8 - first / 2 + SLACK


def test_success_on_the_last_allowed_iteration_is_success(stage: Stage) -> None:
    """Neither cap turns done into a failure."""
    stage.script(WORK, DONE)
    assert stage.begin("--max-iterations", "2", "--max-cost", "0.5").code == 0
