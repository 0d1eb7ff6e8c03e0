"""A session that something happens to: begun before, and continued afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.outer.stage import ROOT, TASK, Ended, Stage

ASK = "ask(); signal('waiting', **{'for': 'qa_answers'})"
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
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def said(ended: Ended, code: int, *words: str) -> None:
    """A run ended with this exit code and these words, and without a traceback."""
    assert ended.code == code and "Traceback" not in ended.out, ended.out
    assert [word for word in words if word not in ended.out] == [], ended.out


def begun(stage: Stage) -> list[str]:
    """The record after one good iteration."""
    stage.script(CONTINUE, default=DONE)
    assert stage.begin("--max-iterations", "1").code == 5
    return (stage.session / "_history.jsonl").read_text().splitlines()


def goes_on(stage: Stage, before: list[str], *args: str) -> None:
    """The next start ends well, the record still begins with `before`, and no iteration is lost or
    counted twice."""
    said(stage.begin(*args), 0)
    lines = (stage.session / "_history.jsonl").read_text().splitlines()
    assert lines[: len(before)] == before
    numbers = [line["n"] for line in stage.history("iteration")]
    assert numbers == list(range(1, len(numbers) + 1)) and stage.outcomes[-1] == "done"
    assert TASK in (stage.session / "_task.md").read_text()
