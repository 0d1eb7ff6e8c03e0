"""Run the loop with a silent object in place of samocode/show."""

import os
import sys
from pathlib import Path
from typing import Any


class Silent:
    """A view and a notifier that say nothing."""

    @property
    def view(self) -> "Silent":
        """Itself."""
        return self

    def terminal(self, _poll: float) -> None:
        """Nobody can type here."""

    def __getattr__(self, name: str) -> Any:
        """A method of any name: calling it does nothing."""
        return self

    def __call__(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Run the loop as main.py does, with Silent in place of the leaves. Return the exit code."""
    from main import Loop
    from samocode import sessions
    from samocode.child.shutdown import Shutdown
    from samocode.git.repository import Repository
    from samocode.lock import locked
    from samocode.session import open_session
    from samocode.settings.flags import parse
    from samocode.settings.load import Settings
    from samocode.settings.timeouts import Timeouts

    settings = Settings(parse(sys.argv[1:]), dict(os.environ), None, Path.cwd())
    project, texts = settings.project, {"task": str(settings.task)}
    repository = Repository.find(project.main_repo, settings.environ)
    folder, _ = sessions.find_or_create(project, str(settings.session), texts, repository)
    with locked(folder):
        session = open_session(project.main_repo, folder, repository)
        silent: Any = Silent()
        shutdown = Shutdown()
        shutdown.install()
        stop = Loop(session, settings, Timeouts(), silent, shutdown).run(texts)
        return stop.code if stop else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    for leaf in ("show", "check", "telegram", "terminal", "demo"):
        gone: Any = None  # an import of it fails
        sys.modules[f"samocode.{leaf}"] = gone
    sys.exit(main())
