"""Sessions in the middle, made by the real loop with the stand-in child, so that record, folder and
git agree."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping

from trials.trial import ROOT, Trial

LOOP, FAKE = ROOT / "tests" / "fakes" / "loop.py", ROOT / "tests" / "fakes" / "claude"
ASKED = ("dive", "ask")
PLANNED = (*ASKED, "fold", "plan")
BUILT = (*PLANNED, "phase_1", "phase_2")
REVIEWED = (*BUILT, "test", "review", "cleanup", "summary")
ANSWERS = {1: "A", 2: "A"}
REFUSAL = (
    "The option shall be called --shortest, not --min. "
    "What does --shortest do with --top, by the way?"
)
NOTE = "The hook is gone, go on. And put a line about --min into CHANGES.md, under 0.3."
VERIFY = "printf 'a a tree' | python -m tally --min 2 --top 1 | grep tree"
HOOKS = ROOT / "trials" / "hooks"


def make(state: str, trial: Trial) -> None:
    """Bring a new trial's session into a state."""
    STATES[state](trial)


def play(
    trial: Trial, *steps: str, timeout: str = "600", note: str = "", ends: tuple[int, ...] = (4, 5)
) -> None:
    """Play these steps as the next iterations; the loop stops after the last of them, with
    one of the exit codes `ends`. `note`: what the human adds to the task."""
    folder = trial.folder / "steps"
    folder.mkdir(exist_ok=True)
    done = 0
    if trial.started:
        done = sum(line["event"] == "iteration" for line in trial.history)
    for number, step in enumerate(steps, done + 1):
        (folder / f"{number}.py").write_text(_step(step))
    said = note if trial.started else trial.facts["task"]
    words = ["--task", said] if said else []
    most = ("--max-iterations", str(len(steps)))
    command = trial.command("--timeout", timeout, *most, *words, loop=LOOP)
    environ = trial.environ(CLAUDE_PATH=str(FAKE), FAKE_STEPS=str(folder))
    process = subprocess.run(
        command, env=environ, cwd=trial.folder / "project", stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    with (trial.folder / "prepared.log").open("a") as log:
        log.write(process.stdout + process.stderr)
    shutil.rmtree(folder)
    if process.returncode not in ends:
        raise RuntimeError(f"the preparation ended with {process.returncode}: {process.stdout}")


def answered(trial: Trial, *steps: str) -> None:
    """Answer what the played child asked, approve the plan, and play on."""
    for question in trial.open_questions():
        trial.answer(question.id, ANSWERS.get(question.id, "yes"))
    play(trial, *steps)


def approved(trial: Trial, *steps: str, plan: str = "plan") -> None:
    """A session with an approved plan, then these steps."""
    play(trial, *ASKED)
    answered(trial, "fold", plan)
    if steps:
        answered(trial, *steps)
    else:
        for question in trial.open_questions():
            trial.answer(question.id, "yes")


def half_answered(trial: Trial) -> None:
    """Both questions are answered on record; the second answer settles nothing."""
    play(trial, *ASKED)
    trial.answer(1, "A")
    trial.answer(
        2, "Hm, A or B, what would other tools do? I do not mind much, but not an empty output."
    )


def damaged_overview(trial: Trial) -> None:
    """Phase 1 is done, and a crash left the overview torn, with another session's lines in it."""
    approved(trial, "phase_1")
    path = trial.session / "_overview.md"
    torn = path.read_text()[:70]
    path.write_text(
        torn + "\0" * 40 + "\n## Status\nPhase: done\nNext: summary; all phases are done\n"
    )


def leftovers(trial: Trial) -> None:
    """Phase 1 was cut off by the limit, uncommitted; somebody's untracked file lies beside it."""
    approved(trial)
    play(trial, "half_a_phase_1", timeout="4")
    (trial.worktree / "ideas.txt").write_text("ask Kim about --max\n")


def foreign_changes(trial: Trial) -> None:
    """Phase 1 is done; then somebody began to edit a tracked file of no phase."""
    approved(trial, "phase_1")
    with (trial.worktree / "CHANGES.md").open("a") as file:
        file.write("\n## 1.0 (not yet, talk to Kim first)\n- rewrite in\n")


def refused_plan(trial: Trial) -> None:
    """The plan was asked for and answered with a change."""
    play(trial, *ASKED)
    answered(trial, "fold", "plan")
    (question,) = trial.open_questions()
    trial.answer(question.id, REFUSAL)


def impossible(trial: Trial) -> None:
    """An approved plan whose first phase cannot be green."""
    approved(trial, plan="plan('plan-impossible')")


def verify_failed(trial: Trial) -> None:
    """Done was signalled and VERIFY found a fault that no test sees."""
    with (trial.folder / ".samocode").open("a") as file:
        file.write(f'VERIFY="{VERIFY}"\n')
    steps = (step.replace("phase_2", "phase_2(wrong=True)") for step in REVIEWED[len(PLANNED) :])
    approved(trial, *steps)


def hook_docstring(trial: Trial) -> None:
    """Phase 1 is done; then somebody installed a hook that refuses new tests without docstrings."""
    approved(trial, "phase_1")
    _hook(trial, "docstring.py")


def hook_broken(trial: Trial) -> None:
    """Phase 1 is done; then somebody installed a hook that fails whatever is committed."""
    approved(trial, "phase_1")
    _hook(trial, "licence.sh")


def unblocked(trial: Trial) -> None:
    """Phase 2 is built; a broken hook refused its commit; the human took the hook away, and adds a
    wish."""
    hook_broken(trial)
    play(trial, "refused_phase_2", ends=(3,))
    (trial.folder / "project" / ".git" / "hooks" / "pre-commit").unlink()
    play(trial, note=NOTE, ends=(0,))


def finished(trial: Trial) -> None:
    """All phases are done, and the loop said so."""
    approved(trial)
    play(trial, *REVIEWED[len(PLANNED) :], ends=(0,))


def _hook(trial: Trial, name: str) -> None:
    path = trial.folder / "project" / ".git" / "hooks" / "pre-commit"
    path.parent.mkdir(exist_ok=True)
    shutil.copy2(HOOKS / name, path)
    path.chmod(0o755)


def _step(call: str) -> str:
    call = call if call.endswith(")") else f"{call}()"
    return (
        f"sys.path.insert(0, {str(ROOT)!r})\nfrom trials import played\n"
        f"played.Child(SESSION, ITERATION).{call}\n"
    )


STATES: Mapping[str, Callable[[Trial], None]] = {
    "half_answered": half_answered,
    "damaged_overview": damaged_overview,
    "leftovers": leftovers,
    "foreign_changes": foreign_changes,
    "refused_plan": refused_plan,
    "impossible": impossible,
    "verify_failed": verify_failed,
    "hook_docstring": hook_docstring,
    "hook_broken": hook_broken,
    "unblocked": unblocked,
    "two_ways": lambda trial: approved(trial, plan="plan('plan-two-ways')"),
    "asked": lambda trial: play(trial, *ASKED),
    "approved": approved,
    "finished": finished,
    "built": lambda trial: approved(trial, "phase_1", "phase_2"),
    "built_wrong": lambda trial: approved(trial, "phase_1", "phase_2(wrong=True)", "test"),
}
