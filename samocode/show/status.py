"""The status of a session, and the text of every stop."""

from __future__ import annotations

from samocode.decide.forecast import Forecast, forecast
from samocode.gate.approval import plan_text
from samocode.git.command import typed
from samocode.lock import is_running
from samocode.pages.names import LOGS, OVERVIEW, QA
from samocode.pages.questions import page
from samocode.record.exits import ExitCode, Stop
from samocode.record.state import SessionState
from samocode.record.words import counted, few
from samocode.session import Session
from samocode.settings.flags import RAISED
from samocode.show import landing
from samocode.show.columns import clip, printable, wrap
from samocode.show.doing import Doing, doing
from samocode.show.row import standing
from samocode.show.screen import PIPED
from samocode.show.sizes import size
from samocode.show.text import TITLES, in_words, money, since, span

TITLE, BODY = 72, 1000  # columns of a pull request's title and of its text


def questions(session: Session) -> dict[int, str]:
    """Return the open questions by number, as printed in `_qa.md`."""
    shown, waiting = page(session.state), {question.id for question in session.state.open}
    blocks = shown.blocks if shown else ()
    return {b.question.id: b.text.strip() for b in blocks if b.question.id in waiting}


def questions_text(session: Session) -> str:
    """Return the open questions as printed in `_qa.md`, and which answers were not taken."""
    return "\n\n".join([*questions(session).values(), *not_taken(session.state)])


def not_taken(state: SessionState) -> list[str]:
    """Say which answers to open questions were not taken, and why."""
    return [f"Q{q.id}: {state.refused[q.id]}." for q in state.open if q.id in state.refused]


def for_screen(question: str, columns: int = 10_000) -> str:
    """Return a printed question without its `Answer:`, wrapped to `columns`."""
    lines = question.removeprefix("## ").removesuffix("Answer:").splitlines()
    return "\n".join(wrap(line, columns, "  ") for line in lines if line.strip())


def how_to_answer(session: Session, terminal: bool) -> str:
    here = ", or here" if terminal else ""
    return f"Answer in {session.folder / QA} (after `Answer:`){here}."


def status(session: Session, command: str) -> str:
    """Return the status for `--status`. `command` resumes the session."""
    state, running = session.state, is_running(session.folder)
    word = standing(state, running)[0]
    lines = _facts(session, f"{word} ({'a loop runs it now' if running else 'no loop runs it'})")
    if running and (child := doing(session)):
        lines.append(f"Child:     {_work(child)}")
    if state.last:
        last, outcome = state.last, in_words(state.last.outcome)
        lines.append(f"Last:      iteration {last.n} {last.phase}: {outcome}")
    if state.stopped:
        code, why = state.stopped
        lines.append(
            f"Stopped:   {clip(why, 5 * PIPED) or TITLES.get(code, '')} (exit code {code})"
        )
    if state.done is not None:
        lines += ["", *done_lines(session)]
    if state.open:
        lines += ["", f"Open questions ({session.folder / QA}):", questions_text(session)]
    if not running and state.done is None:
        blocked = state.stopped is not None and state.stopped[0] == ExitCode.BLOCKED
        lines += ["", to_go_on(command, blocked)]
    return "\n".join(lines)


def _facts(session: Session, word: str) -> list[str]:
    state, tree = session.state, session.state.worktree
    worktree = ""
    if tree:
        worktree = f"{tree.path} (branch {tree.branch}, from {tree.base}; {size(tree.path)})"
    phase = "done" if state.done is not None else state.phase
    phase += " (the summary is still to come)" if state.done is None and phase == "done" else ""
    plan = f"{state.approved.plan} (approved)" if state.approved else "none approved"
    costs = expected(session)
    spent = [f"{name} {s.usd:.2f} USD in {span(s.seconds)}" for name, s in state.spent.items()]
    logs = f"{size(session.folder / LOGS)} in {LOGS}/; delete .jsonl and .stderr as you like"
    return [
        f"Session:   {session.folder}",
        *([f"Task:      {clip(state.task, PIPED)}"] if state.task is not None else []),
        f"Worktree:  {worktree or 'none (research)'}",
        f"State:     {word}",
        f"Phase:     {phase} (round {state.round})",
        f"So far:    {runs(state)}, {money(state)}",
        *([f"           {', '.join(spent)}"] if spent else []),
        f"Plan:      {plan}",
        *([f"Forecast:  {costs}, {span(costs.seconds)}"] if costs else []),
        f"Notebook:  {session.folder / OVERVIEW}",
        f"Logs:      {logs}",
    ]


def stop_text(session: Session, stop: Stop, command: str) -> str:
    """Return the text of a stop: what happened, what it cost, and how to resume."""
    state, code = session.state, stop.code
    lines = [f"samocode {session.name}: {TITLES[code]}", stop.why.strip(), ""]
    if code == ExitCode.WAITING:
        asked = map(for_screen, questions(session).values())
        lines[2:] = ["", "\n\n".join(asked), "", how_to_answer(session, terminal=False)]
    if code == ExitCode.DONE:
        lines += left_out(session) + done_lines(session)
        lines += [kept] if (kept := forecast_kept(state)) else []
    if changed := session.changed_meanwhile():
        lines += [f"In {session.main_repo} these changed meanwhile: {few(changed)}", ""]
    lines.append(so_far(state))
    lines.append(f"Session: {session.folder} (logs: {size(session.folder / LOGS)})")
    if code == ExitCode.BLOCKED and session.top:
        lines.append(f"Its code: {session.top}")
    if code in (ExitCode.BLOCKED, ExitCode.FAILED) and state.last:
        logs = sorted((session.folder / LOGS).glob(f"{state.last.n:03d}-*.jsonl"))
        lines += [f"Log: {log}" for log in logs[-1:]]
    if code != ExitCode.DONE:
        lines.append(to_go_on(command, blocked=code == ExitCode.BLOCKED))
    return "\n".join(lines)


def expected(session: Session) -> Forecast | None:
    """Return the forecast of an approved plan that is not done."""
    state = session.state
    if state.approved is None or state.done is not None:
        return None
    return forecast(state, plan_text(session, state.approved.plan) or "")


def forecast_kept(state: SessionState) -> str:
    """Return how good the forecast of the approval was; empty if there was none."""
    if state.forecast is None:
        return ""
    usd, cost = state.forecast[0], state.spent_since_approval
    return f"Forecast when you approved the plan: {usd:.2f} USD. It cost {cost:.2f} USD."


def to_go_on(command: str, blocked: bool) -> str:
    """Return the line with the resume command."""
    hint = ", raise the limit" if RAISED in command else ""
    hint += ' (add --task "your decision" if it needs one)' if blocked else ""
    return f"To go on{hint}: {command}"


def left_out(session: Session) -> list[str]:
    """List what a merge leaves out: untracked files, ignored ones if nothing was committed, and
    commits of submodules that were not pushed."""
    status, state, checkout = session.status(), session.state, session.checkout
    if status is None or checkout is None:
        return []
    names, lines = status.untracked, list[str]()
    made = state.as_made.head if state.as_made and state.approved else None
    if status.head == made:  # maybe all work is in ignored files
        names += checkout.ignored()
    if names:
        lines += [f"Not in any commit: {few(names)}", ""]
    for name in checkout.unpushed():
        at, branch = checkout.worktree[:2]
        push = f"{typed(at / name)} push origin HEAD:refs/heads/{branch}"
        lines += [f"Only in this worktree: commits in {name}. Before you merge, run: {push}", ""]
    return lines


def done_lines(session: Session) -> list[str]:
    """Show the branch, its commits, its changes, and how to merge and archive."""
    if session.checkout is None:
        return [f"Research only; the documents are in {session.folder}", ""]
    repository, tree = session.checkout
    commits, stat = landing.story(repository, tree)
    if not commits:
        return [f"No commits on {tree.branch}; the documents are in {session.folder}", ""]
    # All on one line: the task is the title of a pull request, the summary its body.
    title = clip(printable(session.state.task or session.name), TITLE)
    body = clip(printable(session.state.done or ""), BODY)
    request = landing.pull_request(repository, tree, title, body)
    return [
        f"Branch {tree.branch} in {tree.path}",
        commits,
        stat,
        f"Merge:   {landing.merge(repository, tree)}",
        *([f"Or:      {request}"] if request else []),
        f"Archive: /session-archive {session.name} in Claude Code",
        "",
    ]


def _work(child: Doing) -> str:
    """What a running child does, for the status."""
    heard = f", last sign of life {ago(child.heard)} ago" if child.heard else ", no output yet"
    since = f"iteration {child.iteration} for {ago(child.since)}{heard}"
    return since + (f"\n           {clip(child.last, PIPED)}" if child.last else "")


def so_far(state: SessionState) -> str:
    """Return a sentence on iterations, cost and age."""
    age = f"{ago(state.started)} since it was made" if state.started else "just begun"
    return f"{runs(state)}, {money(state)}, {age}."


def runs(state: SessionState) -> str:
    return counted(state.iteration, "iteration")


def ago(moment: str) -> str:
    """How long ago a recorded moment was."""
    return span(since(moment))
