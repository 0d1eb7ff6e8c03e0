"""Sources of settings: command line, environment and files, each a layer of text."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, Self, TypeVar, overload

from samocode.record.words import nearest
from samocode.settings.clone import RUN_TAG

T_co = TypeVar("T_co", covariant=True)

OTHERS = (RUN_TAG, "SAMOCODE_TEST_CLAUDE", "SAMOCODE_BIN")  # set by the loop, the tests, the user


PLAIN = re.compile(r"(?:(?:[A-Z_]+=[\w@%+:,./~-]*|#[^\n\r]*)?\n)*", re.ASCII)
"""Lines that need no parser: blank ones, comments, and values without quotes, blanks or escapes."""


class Layer(NamedTuple):
    """The texts of one source, by key or flag. `where` names the source in messages."""

    where: str
    texts: Mapping[str, str]


class Row(Generic[T_co]):
    """One setting. On a loaded table the attribute gives the value, on the class the row itself.
    `flag` is written as in the help, "--timeout S"; without a second word it is a switch, and a
    second word in brackets is optional. `group` is its heading in the help. `read` parses a
    text. Its ValueError says what is valid and never shows a secret."""

    def __init__(
        self, key: str, flag: str, default: str, meaning: str, read: Callable[[str], T_co],
        group: str = "",
    ) -> None:  # fmt: skip
        self.key, self.default, self.meaning, self.read = key, default, meaning, read
        self.flag, _, self.takes = flag.partition(" ")
        self.group = group

    @overload
    def __get__(self, table: None, owner: type) -> Self: ...
    @overload
    def __get__(self, table: Table, owner: type) -> T_co: ...
    def __get__(self, table: Table | None, owner: type) -> Self | T_co:
        return self  # on an instance, __dict__ holds the value and wins

    def value(self, layers: Sequence[Layer], problems: list[str]) -> T_co:
        """Return the value from the first layer that has one, else the default. A text that cannot
        be parsed is added to `problems`."""
        for where, texts in layers:
            label = self.flag if self.flag in texts else self.key
            if label in texts:
                try:
                    if not texts[label].strip():
                        raise ValueError("the text is empty: write some, or leave the flag out")
                    return self.read(texts[label])
                except ValueError as error:
                    problems.append(f"{where}: {label}: {error}.")
                    break
        return self.read(self.default)


class Table:
    """A set of rows with their values."""

    def __init__(self, layers: Sequence[Layer], problems: list[str]) -> None:
        for name, row in self.rows().items():
            vars(self)[name] = row.value(layers, problems)

    @classmethod
    def rows(cls) -> dict[str, Row[object]]:
        """All rows, by attribute name, in order of definition."""
        members = [member for base in cls.__mro__ for member in vars(base).items()]
        return {name: row for name, row in members if isinstance(row, Row)}

    @classmethod
    def keys(cls) -> dict[str, Row[object]]:
        return {row.key: row for row in cls.rows().values() if row.key}


def from_environment(environ: Mapping[str, str], table: type[Table], problems: list[str]) -> Layer:
    """Read the keys from the environment. An unknown SAMOCODE_ variable is a problem."""
    keys = table.keys()
    for name in environ:
        if name.startswith("SAMOCODE_") and name not in (*keys, *OTHERS) and environ[name]:
            problems.append(f"environment: {_unknown(name, keys)}: unset it, or correct its name.")
    texts = {key: environ.get(key, "").strip() for key in keys}
    return Layer("environment", {key: text for key, text in texts.items() if text})


def from_file(path: Path, table: type[Table], problems: list[str]) -> Layer | None:
    """Read the keys from a file. Returns None and adds a problem if the file cannot be read."""
    try:
        if not stat.S_ISREG(kind(path)):  # a pipe would block, a device has no end
            raise OSError("it is not a file")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeError) else f"{error}"
        problems.append(f"{path}: cannot be read ({why}): put a text file there, saved as UTF-8.")
        return None
    rows, texts = table.keys(), dict[str, str]()
    for key, value in parsed(text, path, problems).items():
        if key not in rows:
            remedy = "correct it, or export it in your shell if it is not for Samocode"
            problems.append(f"{path}: {_unknown(key, rows)}: {remedy}.")
            continue
        written = re.findall(rf"^\s*(?:export\s+)?{key}\s*=[^\S\n]*(.*)", text, re.M)
        if value is None:
            problems.append(f"{path}: {key} has no value: write {key}=value.")
        elif len(written) > 1:
            problems.append(f"{path}: {key} occurs more than once: keep one.")
        elif written and _is_cut(rows[key], written[0].rstrip(), value):
            problems.append(
                f"{path}: {key}: the text from ' #' on would be cut off: put quotes around the "
                "whole value, or the comment on a line of its own."
            )
        if value and value.strip():
            texts[key] = value.strip()
    return Layer(f"{path}", texts)


def kind(path: Path) -> int:
    """Return a path's mode, following links; 0 if it is missing or inaccessible."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def expanded(path: Path, base: Path, environ: Mapping[str, str]) -> Path:
    """Expand `~` to HOME and resolve a relative path against `base`."""
    if path.parts[:1] == ("~",) and environ.get("HOME"):
        path = Path(environ["HOME"], *path.parts[1:])
    return base / path


def _unknown(name: str, known: Mapping[str, object]) -> str:
    return f"{name!r:.60} is not a known key{nearest(name.upper(), known)}"


def parsed(text: str, path: Path, problems: list[str]) -> Mapping[str, str | None]:
    """Parse with python-dotenv. Lines that it cannot parse become problems, without their text.
    Importing it takes a tenth of the start-up time, so plain lines are split here."""
    if PLAIN.fullmatch(text + "\n"):
        return dict(line.split("=", 1) for line in text.split("\n") if line[:1] not in ("", "#"))
    import io
    import logging

    from dotenv import dotenv_values  # main.py must be able to report that it is missing

    def note(record: logging.LogRecord) -> bool:
        why = "put quotes around all of a value or none of it"
        problems.append(f"{path}: {record.getMessage()}: write KEY=value, and {why}.")
        return False

    log = logging.getLogger("dotenv.main")
    log.addFilter(note)
    try:
        return dotenv_values(stream=io.StringIO(text), interpolate=False)
    finally:
        log.removeFilter(note)


def _is_cut(row: Row[object], written: str, value: str) -> bool:
    """Whether ` #` cut off text that could be part of the value. In `CLAUDE_TIMEOUT=60 # a minute`
    it can only be a comment, because the whole text is not a number."""
    if written == value or re.sub(r"\s+#.*", "", written) != value:
        return False
    try:
        row.read(written)
    except ValueError:
        return False
    return True
