"""Thirty ways in which tools like this one broke (public issue trackers), each with its test.

The table names a test for every one; the rest of this file holds those that stand nowhere else.
"""

from __future__ import annotations

import ast

import pytest

from tests.harness import ROOT, Project

LESSONS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("a stale done ended the next run", ("test_lessons::test_a_stale_signal_is_not_obeyed",)),
    2: ("words in documents ended runs", ("test_lessons::test_only_the_file_speaks",)),
    3: (
        "exit 0 with nothing done passed for finished",
        ("test_loop::test_a_silent_child_is_told_then_blocked",),
    ),
    4: (
        "finished work was lost to a non-zero exit",
        ("test_loop::test_a_fresh_valid_signal_beats_the_exit_code",),
    ),
    5: (
        "errors came as success with exit 0",
        ("test_events::test_recordings", "test_lessons::test_an_error_in_the_shape_of_success"),
    ),
    6: (
        "limit patterns fired on quoted text",
        ("test_lessons::test_a_quoted_limit_message_is_no_limit",),
    ),
    7: (
        "waited out what time does not lift",
        ("real/test_failures::test_what_time_does_not_mend_blocks_at_once",),
    ),
    8: (
        "a timed-out iteration was retried blindly",
        ("test_loop::test_time_limit_tells_the_next_iteration",),
    ),
    9: (
        "claude never exited, or never started",
        (
            "test_loop::test_a_child_that_never_leaves_after_its_result",
            "test_loop::test_a_child_that_does_not_start",
        ),
    ),
    10: (
        "orphans piled up",
        (
            "test_loop::test_what_a_child_leaves_running_is_ended",
            "real/test_processes::test_a_good_end_leaves_nothing_either",
        ),
    ),
    11: (
        "a grandchild held the pipe",
        ("test_lessons::test_a_grandchild_that_holds_stdout_holds_nothing",),
    ),
    12: (
        "Ctrl-C left a ghost",
        (
            "test_loop::test_ctrl_c_once_after_this_iteration",
            "real/test_processes::test_a_stop_now_ends_everything",
        ),
    ),
    13: (
        "refused or stalled inside Claude Code",
        (
            "test_loop::test_what_the_child_is_given",
            "real/test_session::test_the_environment_of_a_child",
        ),
    ),
    14: (
        "an API key silently beat the subscription",
        ("test_config::test_who_pays", "test_lessons::test_the_header_says_who_pays"),
    ),
    15: (
        "background work was lost at exit",
        ("test_loop::test_what_the_child_is_given",),
    ),
    16: (
        "a question that nobody saw",
        (
            "test_signals::test_judged_by_what_stands_around",
            "test_loop::test_on_wait_exit_and_going_on",
        ),
    ),
    17: (
        "one shared state file hijacked other sessions",
        (
            "test_faults_time::test_twenty_sessions_side_by_side",
            "test_loop::test_one_loop_per_session",
        ),
    ),
    18: (
        "--continue went into a person's own conversation",
        ("test_loop::test_what_the_child_is_given",),
    ),
    19: (
        "logs were overwritten",
        ("test_session::test_each_log_is_a_new_file", "test_crash::test_killed_again_and_again"),
    ),
    20: ("breakers stayed tripped", ("test_loop::test_stalled_and_its_restart",)),
    21: (
        "success on the last iteration was a limit",
        ("test_loop::test_iteration_cap_and_success_on_the_last",),
    ),
    22: (
        "the tool's tidying touched the user's git",
        ("test_git::test_the_loop_changes_nothing_of_the_users",),
    ),
    23: (
        "denials looped in silence; root was refused",
        (
            "real/test_failures::test_a_denied_tool_is_on_record_and_told",
            "test_config::test_root_is_told_before_claude_refuses",
        ),
    ),
    24: (
        "notifications lost to markup; tokens printed",
        (
            "test_telegram::test_any_text_arrives_as_it_is",
            "test_telegram::test_trouble_that_stays_is_told_in_one_sentence",
        ),
    ),
    25: ("logs filled disks unseen", ("test_lessons::test_the_size_of_the_logs_is_told",)),
    26: (
        "the human gate did not gate",
        (
            "test_loop::test_a_whole_session_with_both_gates",
            "test_loop::test_a_child_cannot_answer_for_the_human",
        ),
    ),
    27: (
        "edits landed in the main checkout",
        ("real/test_session::test_from_investigation_to_done",),
    ),
    28: (
        "the parent played orchestrator",
        ("test_prompts::test_the_parent_knows_every_exit_code",),
    ),
    29: (
        "commands two deep were skipped",
        ("test_prompts::test_a_form_stands_in_one_file",),
    ),
    30: (
        "a shared stash; somebody's unfinished branch",
        ("test_git::test_base", "test_prompts::test_nothing_is_specific_to_a_machine_or_shouted"),
    ),
}

DONE = "signal('done', summary='s')"


@pytest.mark.parametrize("number", range(1, 31))
def test_every_lesson_has_its_tests(number: int) -> None:
    _, tests = LESSONS[number]
    for name in tests:
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text())
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert function in names, f"lesson {number}: {name} is gone"


def test_a_stale_signal_is_not_obeyed(project: Project) -> None:
    project.script("signal('blocked', reason='first')", default="pass")
    assert project.run(task="t").returncode == 3
    (project.session / "_signal.json").write_text('{"status": "done", "summary": "stale"}')
    assert project.run().returncode == 3
    assert project.outcomes() == ["blocked", *["no_signal"] * 3]


def test_only_the_file_speaks(project: Project) -> None:
    words = "All tasks are done and complete. I am not outputting a completion promise. DONE"
    project.script(f"text({words!r}); write('complete.md', {words!r})", DONE)
    assert project.run(task="t").returncode == 0
    assert project.outcomes() == ["no_signal", "done"]


def test_an_error_in_the_shape_of_success(project: Project) -> None:
    fail = "api_error('rate_limit', 429); emit(type='result', **RESULT); sys.exit(0)"
    project.script(fail, DONE)
    assert project.run(task="t").returncode == 0
    assert project.outcomes() == ["transient", "done"]


def test_a_quoted_limit_message_is_no_limit(project: Project) -> None:
    words = "You've hit your 5-hour limit · resets 8am. API Error: 429 rate_limit_error"
    project.script(f"text({words!r}); write('quoted.md', {words!r}); signal('continue')", DONE)
    assert project.run(task="t").returncode == 0
    assert project.outcomes() == ["continue", "done"] and project.history("limit") == []


def test_a_grandchild_that_holds_stdout_holds_nothing(project: Project) -> None:
    project.script(f"subprocess.Popen(['setsid', 'sleep', '300']); {DONE}")
    assert project.run(task="t", timeout=20).returncode == 0
    assert project.history("iteration")[0]["left_over"]


def test_the_header_says_who_pays(project: Project) -> None:
    project.extra = {"ANTHROPIC_API_KEY": "sk-secret"}
    project.script(DONE)
    first = project.run(task="t").stdout.partition("==")[0]
    assert "ANTHROPIC_API_KEY" in first and "opus" in first and "bypassPermissions" in first
    assert "sk-secret" not in first


def test_the_size_of_the_logs_is_told(project: Project) -> None:
    project.script(f"text('x' * 300000); {DONE}")
    assert "(logs: 0.3 MB)" in project.run(task="t").stdout
    shown = project.run("--max-iterations", "0").stdout
    assert "0.3 MB in _logs/; delete .jsonl and .stderr as you like" in shown, "not approved plans"
