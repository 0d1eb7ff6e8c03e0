"""What each iteration is given by its phase (model, effort, telemetry), and what quota it
leaves."""

from __future__ import annotations

from tests.outer import speech
from tests.outer.stage import DONE, TO_PLANNING, Stage

KEY = "SAMOCODE_PHASE_MODELS"
BEDROCK = "us.anthropic.claude-opus-5-v1:0"


def models(stage: Stage) -> list[tuple[str, str]]:
    """(model, effort) of each child."""
    argvs = [stage.child(n)["argv"] for n in range(1, stage.children + 1)]
    return [
        (
            argv[argv.index("--model") + 1],
            argv[argv.index("--effort") + 1] if "--effort" in argv else "",
        )
        for argv in argvs
    ]


def test_each_phase_has_its_model(stage: Stage) -> None:
    """The model of each phase is in the header, in the heading of each iteration and on record.
    After a failure, the next iteration has the default model."""
    stage.configure(**{KEY: f"investigation=sonnet:low, planning={BEDROCK}"})
    stage.script("os._exit(1)", TO_PLANNING, "text('Hm'); " + TO_PLANNING, DONE)
    ended = stage.begin("--model", "haiku", "--max-iterations", "4", fast=True)
    assert models(stage)[:3] == [("sonnet", "low"), ("haiku", ""), (BEDROCK, "")], ended.out
    assert f"investigation sonnet:low, planning {BEDROCK}" in ended.out
    assert "1: investigation (1 of 7), sonnet:low, " in ended.out
    begun = [line.get("model") for line in speech.history(stage.session, "begin")]
    assert begun[:3] == ["sonnet:low", "haiku", BEDROCK]


def test_telemetry_carries_session_phase_and_iteration(stage: Stage) -> None:
    """If Claude's OpenTelemetry is on, session, phase and iteration are added to the user's own
    attributes."""
    key = "OTEL_RESOURCE_ATTRIBUTES"
    stage.extra |= {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", key: "team=a"}
    stage.script(TO_PLANNING, DONE)
    stage.begin("--max-iterations", "2")
    own = f"team=a,samocode.session={stage.session.name},samocode.phase"
    assert stage.child(1)["environ"][key] == f"{own}=investigation,samocode.iteration=1"
    assert stage.child(2)["environ"][key] == f"{own}=planning,samocode.iteration=2"
    del stage.extra["CLAUDE_CODE_ENABLE_TELEMETRY"]
    stage.run("--max-iterations", "1")
    assert stage.child(3)["environ"][key] == "team=a"


def test_a_share_of_the_quota_is_left(stage: Stage) -> None:
    """With SAMOCODE_KEEP_QUOTA, the loop pauses until the limit resets, and says why."""
    stage.extra["SAMOCODE_KEEP_QUOTA"] = "20"
    stage.script("work(); quota(0.79, 3600); signal()", "work(); quota(0.81, 1); signal()", DONE)
    ended = stage.begin(fast=True)
    assert ended.code == 0 and "19 % of the five-hour limit is left" in ended.out
    assert len(speech.history(stage.session, "limit")) == 1
