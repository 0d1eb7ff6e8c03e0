"""A session that something happens to: begun before, told about it, going on afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.harness import ROOT, Project

CONTINUE = "write('note-%d.md' % ITERATION['iteration']); signal('continue')"
DONE = "signal('done', summary='It works.')"


FULL_AT = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = Path(sys.argv[1])
"""


def on_a_full_disk(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run `script`, which knows `path`, where no file can grow above 4096 bytes: a write fails in
    its middle, as on a full disk."""
    return subprocess.run(
        [sys.executable, "-c", FULL_AT + script, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def told(ended: subprocess.CompletedProcess[str], *words: str) -> str:
    """What a run printed: no traceback, and these words."""
    printed = ended.stdout + ended.stderr
    assert "Traceback" not in printed, printed
    for word in words:
        assert word in printed, printed
    return printed


def begun(project: Project) -> list[str]:
    """What is on record after one good iteration."""
    project.script(CONTINUE, default=DONE)
    assert project.run("--max-iterations", "1", task="the words").returncode == 5
    return (project.session / "_history.jsonl").read_text().splitlines()


def kept(project: Project, before: list[str], task: str | None = None) -> None:
    """Going on works, and the record still begins as it did; every iteration once."""
    ended = project.run(task=task)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = (project.session / "_history.jsonl").read_text().splitlines()
    assert lines[: len(before)] == before
    numbers = [line["n"] for line in project.history("iteration")]
    assert numbers == list(range(1, len(numbers) + 1)) and project.outcomes()[-1] == "done"
    assert "the words" in (project.session / "_task.md").read_text()
