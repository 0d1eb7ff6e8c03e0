"""What people wrote for the settings: texts by key, read from a file or the environment."""

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import TypeVar

from samocode.settings.clone import RUN_TAG
from samocode.settings.table import Key, quoted

T = TypeVar("T")

OTHERS = (RUN_TAG, "SAMOCODE_TEST_CLAUDE")  # no settings: the child's tag, the tests' CLI


@dataclass(frozen=True)
class Given:
    """A text, not empty, and where it stands."""

    text: str = field(repr=False)
    where: str


Layer = Mapping[str, Given]


@dataclass(frozen=True)
class Values:
    """Settings from layers, the first that has one wins; what cannot be read joins the problems."""

    problems: list[str]
    layers: Sequence[Layer]

    def given(self, key: Key[object]) -> Given | None:
        return next((layer[key.name] for layer in self.layers if key.name in layer), None)

    def get(self, key: Key[T], flag: T | None = None) -> T:
        """The flag if there is one, else what is given, else the default."""
        if flag is not None:
            return flag
        given = self.given(key)
        if given:
            try:
                return key.read(given.text)
            except ValueError as error:
                self.problems.append(f"{given.where}: {key.name}: {error}.")
        return key.read(key.default)


def from_environment(
    environ: Mapping[str, str], known: Sequence[Key[object]], problems: list[str]
) -> Layer:
    """The known keys of the environment; a SAMOCODE_ key that nobody knows is a problem."""
    names = [key.name for key in known]
    for name in environ:
        if name.startswith("SAMOCODE_") and name not in (*names, *OTHERS) and environ[name]:
            problems.append(f"environment: {unknown(name, names)}: unset it, or correct its name.")
    texts = {name: environ.get(name, "").strip() for name in names}
    return {name: Given(text, "environment") for name, text in texts.items() if text}


def from_file(
    path: Path, known: Sequence[Key[object]], remedy: str, problems: list[str]
) -> Layer | None:
    """The keys that have a value in a file; None, and a problem, when it is not to be read.

    A line that cannot be read is not shown: it may hold a secret.
    """
    text = _text(path, problems)
    if text is None:
        return None
    names = [key.name for key in known]
    texts: dict[str, Given] = {}
    for name, value, line in _bindings(text):
        where = f"{path}, line {line}"
        if name is None:
            problems.append(f"{where}: it cannot be read: write KEY=value, close every quote.")
        elif name not in names:
            problems.append(f"{where}: {unknown(name, names)}: {remedy}.")
        elif value is None:
            problems.append(f"{where}: {name} has no value: write {name}=value.")
        elif name in texts:
            problems.append(f"{where}: {name} stands there twice: keep one.")
        else:
            texts[name] = Given(value.strip(), where)
    return {name: given for name, given in texts.items() if given.text}


def unknown(name: str, known: Sequence[str]) -> str:
    """That `name` is no key, with the nearest that is."""
    near = get_close_matches(name.upper(), known, 1)
    return f"{quoted(name)} is not a known key{f' (nearest: {near[0]})' if near else ''}"


def kind(path: Path) -> int:
    """The mode of what is there, links followed; 0: nothing, or nothing that can be looked at."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def expanded(text: str, base: Path, environ: Mapping[str, str]) -> Path:
    """The path that `text` names: `~` is HOME, anything relative starts at `base`."""
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        text = home + text[1:]
    return base / text


def _bindings(text: str) -> Iterator[tuple[str | None, str | None, int]]:
    """Name, value and line number of each line, in order; no name: the line cannot be read."""
    from dotenv.parser import parse_stream  # main.py must start without it, to say so

    for name, value, original, error in parse_stream(StringIO(text)):
        # python-dotenv counts from the blank lines before a binding
        blank = original.string[: len(original.string) - len(original.string.lstrip())]
        if name is not None or error:
            yield name, value, original.line + len(re.findall(r"\r\n|\n|\r", blank))


def _text(path: Path, problems: list[str]) -> str | None:
    try:
        if not stat.S_ISREG(kind(path)):  # a pipe would block, a device never end
            raise OSError("it is no file")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.append(f"{path}: it is not UTF-8 text: save it as UTF-8.")
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror or error}): put a file there.")
    return None
