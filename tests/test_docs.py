"""README, CONTRIBUTING and --help are promises: each name in them exists in the code."""

import re

from samocode.decide import signal as signals
from samocode.pages import names
from samocode.record.exits import ExitCode
from samocode.settings.table import ProjectTable, RunTable
from tests.outer.stage import ROOT
from tests.prompts import help_text

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def table(heading: str) -> list[str]:
    """The rows of the README's table whose first heading is this."""
    return README.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]


def first(heading: str) -> list[str]:
    """The first cells of a table."""
    return [row.split("|")[1].strip() for row in table(heading)]


def code(*words: str) -> str:
    """Format words as code in a table."""
    return f"`{text}`" if (text := " ".join(words).strip()) else ""


def test_the_settings_tables_agree_with_the_code() -> None:
    runs = RunTable.rows().values()
    assert table("key") == [f"| `{r.key}` | {r.meaning} |" for r in ProjectTable.rows().values()]
    assert table("variable") == [
        f"| `{row.key}` | {code(row.flag, row.takes)} | {code(row.default)} | {row.meaning} |"
        for row in RunTable.keys().values()
    ]
    assert table("flag") == [
        f"| {code(r.flag, r.takes)} | {r.meaning} |"
        for r in runs
        if r.flag and not r.key and r.flag != "--check-signal"  # only claude calls it
    ]


def test_the_example_env_file_agrees_with_the_code() -> None:
    head, _, rest = (ROOT / ".env.example").read_text().partition("\n\n")
    rows = [f"# {row.meaning}\n{key}={row.default}" for key, row in RunTable.keys().items()]
    assert rest == "\n\n".join(rows) + "\n"
    assert all(line.startswith("# ") for line in head.splitlines())


def test_every_flag_exists() -> None:
    known = set(re.findall(r"--[a-z-]+", help_text()))
    for path in (ROOT / "install.sh", *(ROOT / "bench").glob("*.py")):
        known |= set(re.findall(r"--[a-z]+", path.read_text()))
    of_others = {"--allowedTools", "--fallback-model", "--add-dir", "--init", "--recursive"}
    shown = set(re.findall(r"(?<![\w-])--[a-zA-Z][a-zA-Z-]+", README + CONTRIBUTING))
    assert shown - of_others - {"--strict"} <= known


def test_readme_and_help_list_every_exit_code() -> None:
    shown = {int(code) for cell in first("exit code") for code in cell.split(", ")}
    in_help = re.findall(r"(?:^|  )\s*(\d+)  \w", help_text().split("exit codes:")[1], re.M)
    assert shown == {int(code) for code in ExitCode} == {int(code) for code in in_help}


def test_every_signal_of_the_readme_parses() -> None:
    examples = [cell.strip("`") for cell in first("signal")]
    parsed = [signals.parse(example.encode()) for example in examples]
    assert [problems for _, problems in parsed] == [()] * len(examples)
    assert {signal.status for signal, _ in parsed if signal} == set(signals.NEEDED)
    waits = {signal.waits_for for signal, _ in parsed if signal and signal.waits_for}
    assert waits == set(signals.WAITS)


def test_the_readme_shows_every_command_file_and_phase() -> None:
    commands = set(re.findall(r"`/([\w-]+)`", " ".join(first("command"))))
    assert commands == {path.stem for path in (ROOT / "commands").glob("*.md")}
    drawn = set(re.findall(r"[├└]── (_[\w.]+)", README))
    shown = {names.TASK, names.OVERVIEW, names.QA, names.ITERATION, names.LOGS, names.INBOX}
    assert drawn == shown | {names.SIGNAL, names.HISTORY, names.REPORT}
    required = README.split("Put a file `.samocode`")[1].split("```")[1].split()
    assert [line.split("=")[0] for line in required] == ["MAIN_REPO", "WORKTREES", "SESSIONS"]
    assert tuple(cell.strip("`") for cell in first("phase")) == signals.PHASES
    drawn = set(re.findall(r"(\w+) --> (\w+)", README.split("```mermaid")[1].split("```")[0]))
    assert {name for pair in drawn for name in pair} == set(signals.PHASES)


def test_the_guide_draws_the_house() -> None:
    """CONTRIBUTING lists every room and its files, and every path in it exists."""
    house = CONTRIBUTING.split("## The house")[1].split("## ")[0]
    for path in (ROOT / "samocode").rglob("*.py"):
        if path.name == "__init__.py" or "demo" in path.parts:
            continue
        assert re.search(rf"\b{path.stem}\b", house), path
    for name in re.findall(r"`((?:samocode|tests|bench)/[\w/.]+)`", CONTRIBUTING):
        assert (ROOT / name).exists(), name
