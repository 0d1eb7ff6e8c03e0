"""`_qa.md`: an unchanged page says nothing, and what a person adds is read and never lost."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bench.corpus import FOLDER, printed
from samocode.decide import questions
from samocode.pages import answers
from samocode.pages.answers import Added, Reading
from samocode.pages.meaning import nothing_yet
from samocode.pages.qa_file import QaFile
from samocode.pages.questions import Page, page
from samocode.pages.tokens import more, tokens
from samocode.record.history import History
from samocode.record.state import Answer, Question, SessionState
from samocode.record.words import clean

NOTHING = Reading({}, {}, (), "")
LOGIN = Question(
    1, "qa", "Which login method?", "It decides where tokens live.", ("JWT", "Server sessions"),
    "A", "it fits the two API clients",
)  # fmt: skip
NAME = Question(2, "qa", "Name?", "x", (), "foo")
KEY = Question(3, "action", "Create the API key", "The tests need it.")


def made(
    *asked: Question, answers: dict[int, str] | None = None, found: dict[int, str] | None = None,
    before: dict[int, str] | None = None,
) -> Page:  # fmt: skip
    state = SessionState(lines=12, asked={q.id: q for q in asked or (LOGIN, NAME, KEY)})
    state.answers = {n: Answer(text) for n, text in {**(before or {}), **(answers or {})}.items()}
    state.found = {**dict.fromkeys(before or {}, ""), **(found or {})}
    one = page(state)
    assert one
    return one


def read(text: str, one: Page) -> Reading:
    return answers.read(clean(text), one)


def said(one: Page, text: str) -> dict[int, str]:
    """What was added to each question. Assert that nothing else differs."""
    reading = read(text, one)
    assert (dict(reading.removed), reading.gone, reading.stray) == ({}, (), ""), reading
    return {number: added.text for number, added in reading.added.items()}


# Pieces of what children ask and of what people and formatters write.
PIECES = [
    "Answer:", "**", "__", "~~", "~~~", "->", "<=", "[x]", "[ ]", "x", "✓", "A)", "B", "1.", "2)",
    "Q2", "## Q2: Name?", "#", "<!--", "-->", "`", "```", "JWT", "- B) Server sessions", "Why: x",
    "a", "é", "e\u0301", "की", "👍🏽", "שלום", "مرحبا", "好", "\u200f", "*", "_", "|", ">", "+",
    "same", "yes", "tbd", "A", "C++", "< 5", "&amp;", "\\", "...", "it fits", "Suggested: A",
]  # fmt: skip
ENDS = ["\n", "\n\n", "\r\n", "\n## Q1: ", "\n  ", "\n> ", "\n- ", "\n1. ", "\nAnswer: "]
pieces = st.sampled_from(PIECES)
line = st.lists(pieces | st.text(max_size=3), min_size=1, max_size=5).map(" ".join).filter(
    lambda text: not questions.check([{"title": text, "why": text}], "human_action")[1]
)  # fmt: skip
lines = st.lists(pieces | st.sampled_from(ENDS), min_size=1, max_size=12).map(" ".join)
free = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
texts = (lines | free).filter(lambda text: not nothing_yet(text))


@st.composite
def asked(draw: st.DrawFn, number: int) -> Question:
    """A question with any text that a signal may have."""
    one: dict[str, object] = {"title": draw(line), "why": draw(line), "because": draw(line)}
    if many := draw(st.sampled_from([0, 0, 2, 3, 6])):
        one["options"] = draw(st.lists(line, min_size=many, max_size=many, unique=True))
    one["suggested"] = draw(st.sampled_from("ab")) if many else draw(line)
    good, problems = questions.check([one], "qa_answers")
    assume(not problems)
    return good[0]._replace(id=number, kind=draw(st.sampled_from(["qa", "action", "approval"])))


@st.composite
def pages(draw: st.DrawFn, answered: int = 0) -> Page:
    """A page of one to four questions: open, answered, struck out, not taken yet."""
    many = draw(st.integers(1, 4))
    every = [draw(asked(number)) for number in range(1, many + 1)]
    some = st.dictionaries(st.integers(1, many), texts, max_size=many)
    given_, struck, found = draw(some), draw(some), draw(some)
    if answered:
        given_, found = {1: draw(texts)} | given_, {}
    before = {n: text for n, text in struck.items() if n not in given_}
    return made(*every, answers=given_, found=found, before=before)


LAYOUTS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    "BOM": lambda text: "\ufeff" + text,
    "blank lines": lambda text: text.replace("\n\n", "\n\n\n") + "\n\n",
    "trailing blanks": lambda text: re.sub(r"(?m)[ \t]+$", "", text),
    "no end": lambda text: text.rstrip("\n"),
}
layouts = st.sampled_from(sorted(LAYOUTS)).map(LAYOUTS.__getitem__)


@settings(max_examples=200)
@given(pages(), layouts)
@example(made(found={1: "- [x] A) JWT"}), str)
@example(made(found={1: "1. one\n2. two"}, before={3: "2) x\n5) "}), str)
@example(made(answers={1: "see\n## q2: name?\nAnswer: x\n####### Q2: Name?\nAnswer: y"}), str)
@example(made(answers={1: "see\r## Q2: Name?\rAnswer: x", 2: "a\x0b## Q3\x85Answer: b"}), str)
@example(made(LOGIN._replace(options=("__init__.py", "a -> b <= 5 [x] ✓")), NAME), str)
@example(made(LOGIN._replace(why="Is a JWT -> a session, or A) JWT <--? ✓"), NAME), str)
def test_what_is_printed_says_nothing(one: Page, layout: Callable[[str], str]) -> None:
    assert read(layout(one.text), one) == NOTHING


NO_WORDS = re.compile(r"<!--.*?-->|~~.*?~~", re.S)  # comments and struck text
INSIDE = ("line", "begin", "end", "glued begin", "glued end", "paste")
EDITS = (*INSIDE, "middle", "replace", "cut")


def edited(data: st.DataObject, one: Page, kinds: tuple[str, ...]) -> tuple[str, dict[str, int]]:
    """A page after one to three edits, and the block in which each marker word is. With INSIDE, no
    edit touches a heading or the text above the first one."""
    rows = one.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    heads = [at for at, row in enumerate(rows) if row in {b.heading for b in one.blocks}]
    free_ = [at for at in range(1, len(rows)) if kinds != INSIDE or heads[0] < at not in heads]
    places = data.draw(st.sets(st.sampled_from(free_), min_size=1, max_size=3))
    where: dict[str, int] = {}
    for number, at in enumerate(sorted(places, reverse=True)):
        kind, word = data.draw(st.sampled_from(kinds)), f"zebra{number}"
        where[word] = sum(head < at for head in heads)
        row, half = rows[at], len(rows[at]) // 2
        rows[at : at + (1 if kind != "cut" else number + 3)] = {
            "line": [word, row],
            "paste": [word, *data.draw(lines).split("\n"), row],
            "begin": [f"{word} {row}"],
            "end": [f"{row} {word}"],
            "glued begin": [word + row],
            "glued end": [row + word],
            "middle": [f"{row[:half]} {word} {row[half:]}"],
        }.get(kind, [word])
    whole = "\n".join(rows)
    heads_ = [tuple(tokens(row)) for row in whole.split("\n") if row.lstrip().startswith("#")]
    assume(kinds != INSIDE or len(set(heads_)) == len(heads_))
    return whole, {w: b for w, b in where.items() if w in NO_WORDS.sub("", whole)}


@settings(max_examples=200)
@given(st.data(), pages(), layouts, st.sampled_from([EDITS, INSIDE]))
def test_nothing_that_a_person_wrote_is_lost(
    data: st.DataObject, one: Page, layout: Callable[[str], str], kinds: tuple[str, ...]
) -> None:
    """It is in an answer or in the stray text. Inside a block it answers its question only."""
    text, where = edited(data, one, kinds)
    reading = read(layout(text), one)
    found = "\n".join([*(added.text for added in reading.added.values()), reading.stray])
    assert [word for word in where if word not in found] == [], (text, reading)
    if kinds == INSIDE:
        for word, block in where.items():
            holders = [n for n, added in reading.added.items() if word in added.text]
            assert holders == [block], (word, text, reading)
        if text.count("zebra") == len(where):  # none of them in a comment
            assert set(reading.added) == set(where.values()), (text, reading)
        assert not reading.removed and not reading.gone and not reading.stray, (text, reading)


@settings(max_examples=100)
@given(st.data(), pages())
@example(None, made(answers={1: "he asked\nWhy: The tests need it.\nand so"}))
def test_a_deleted_block_takes_nothing_with_it(data: st.DataObject | None, one: Page) -> None:
    ids = [block.question.id for block in one.blocks]
    gone = data.draw(st.sets(st.sampled_from(ids), min_size=1)) if data else {3}
    left = one._replace(blocks=tuple(b for b in one.blocks if b.question.id not in gone))
    assert read(left.text, one) == Reading({}, {}, tuple(sorted(gone)), "")


GONE = ("", "<!-- {} -->", "\n\n")


@settings(max_examples=100)
@given(st.data(), pages(answered=1), st.sampled_from(GONE))
def test_an_answer_that_was_removed_is_struck(data: st.DataObject, one: Page, instead: str) -> None:
    shown = {block.question.id: block.answer for block in one.blocks if block.answer}
    gone = data.draw(st.sets(st.sampled_from(sorted(shown)), min_size=1))
    assume("{}" not in instead or not any("--" in shown[number] for number in gone))
    left = {n: instead.format(text) if n in gone else text for n, text in shown.items()}
    blocks = tuple(b._replace(answer=left.get(b.question.id, "")) for b in one.blocks)
    reading = read(one._replace(blocks=blocks).text, one)
    assert reading == Reading({}, {n: shown[n] for n in gone}, (), "")


@given(pages(), texts)
def test_an_answer_is_recorded_as_it_was_written(one: Page, text: str) -> None:
    """Even with lines equal to printed ones. Headings and comments are not tested here."""
    assume("#" not in text and "<!--" not in text)
    block = one.blocks[-1]
    assume(not block.answer)
    reading = read(one.text.rstrip("\n") + " " + text + "\n", one)
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    assert reading == Reading({block.question.id: Added(wanted)}, {}, (), "")


AFTER = "Answer:\n\n## Q2"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (AFTER, "Answer: B\n\n## Q2", {1: "B"}),
        (AFTER, "**Answer:** B\n\n## Q2", {1: "B"}),
        (AFTER, "Answer:\n```html\n<!-- a -->\n<p>\n```\n\n## Q2",
            {1: "```html\n<!-- a -->\n<p>\n```"}),
        (AFTER, "Answer: - A) JWT\n\n## Q2", {1: "- A) JWT"}),
        (AFTER, "Answer: Why: It decides where tokens live.\n\n## Q2",
            {1: "Why: It decides where tokens live."}),
        (AFTER, "Answer: see\n## My view\nfoo\n\n## Q2", {1: "see\n## My view\nfoo"}),
        (AFTER, "Answer: \u200fב\n\n## Q2", {1: "\u200fב"}),
        (AFTER, "Answer: <!-- hm --> B\n\n## Q2", {1: "<!-- hm --> B"}),
        (AFTER, "Answer: <!-- hm\n\n## Q2", {1: "<!-- hm"}),
        (AFTER, "B\n\n## Q2", {1: "B"}),
        (AFTER, "neither, please\n\nAnswer:\n\n## Q2", {1: "neither, please"}),
        ("Why: It decides", "Why: It\n\ndecides", {}),
        ("It decides where", "where", {}),
        ("Why: It decides where tokens live.", "tokens live\ntokens live", {1: "tokens live"}),
        ("It decides where", "It where, I think,", {1: "Why: It where, I think, tokens live."}),
        ("clients\n", "clients\n\n> I prefer neither\n", {1: "> I prefer neither"}),
        ("- A) JWT\n", "- A) JWT but only for mobile\n", {1: "- A) JWT but only for mobile"}),
        ("- A) JWT\n", "- A) JWT\n  only for mobile\n", {1: "only for mobile"}),
        ("## Q2: Name?", "# **Q2: Name?**", {}),
    ],
)  # fmt: skip
def test_where_people_write(old: str, new: str, wanted: dict[int, str]) -> None:
    """Words count wherever they are. Changes of the layout do not."""
    one = made()
    assert one.text.count(old) == 1
    assert said(one, one.text.replace(old, new)) == wanted


@pytest.mark.parametrize(
    ("old", "new", "stray"),
    [
        ("## Q2: Name?", "Q2: Name?", "Q2: Name?\n\nWhy: x\n\nSuggested: foo\n\nAnswer:"),
        ("## Q2: Name?", "## Q2: Name? Bob", "Bob"),
        ("Answer:\n\n## Q2: Name?\n\nWhy", "Why", "foo"),
        ("foo\n\nAnswer:", "foo\n\nAnswer: Bob", "Bob"),
        ("## Q2: Name?\n\nWhy: x\n\nSuggested: foo\n\nAnswer:", "Answer: Bob", "Bob"),
        ("## Q2: Name?\n\nWhy: x\n\nSuggested: foo\n\nAnswer:", "Suggested: foo\n\nBob", "Bob"),
    ],
)  # fmt: skip
def test_what_follows_a_lost_heading_answers_nothing(old: str, new: str, stray: str) -> None:
    """It is unknown where the answer above ends."""
    one = made()
    text = one.text.replace(old, new).replace("## Q2: Name?\n", "\n" * ("foo" in old))
    reading = read(text.replace("JWT", "JWT ✓") + " done", one)
    assert reading.gone == (2,) and reading.added.keys() <= {3} and not reading.removed
    assert stray in reading.stray and reading.added[3].text == "done"


def test_a_deleted_question_leaves_the_others_their_words() -> None:
    """Even if these were part of the deleted block."""
    one = made(found={2: "foo"})
    left = one.text.replace(one.blocks[1].text, "")
    for words in ("foo", "two words"):
        text = left.replace("\nAnswer:", f"\nAnswer: {words}", 1)
        assert read(text, one) == Reading({1: Added(words)}, {}, (2,), "")


def test_a_question_that_is_there_twice_answers_nothing() -> None:
    """Unless both copies are equal. Its heading in an answer to a later question is part of that
    answer."""
    one = made()
    assert said(one, one.text + one.text.partition("\n\n")[2]) == {}
    twice = read(one.text.replace(AFTER, "Answer: B\n\n## Q2") + one.text.partition("\n\n")[2], one)
    assert twice.gone == (1,) and not twice.added and "Answer: B" in twice.stray
    quoted = one.text + "as in\n## Q2: Name?\nabove"
    assert said(one, quoted) == {3: "as in\n## Q2: Name?\nabove"}


def test_a_label_in_the_printed_text_is_not_the_label() -> None:
    for asked_ in (
        LOGIN._replace(why="Answer: by noon"),
        LOGIN._replace(options=("Answer: x", "y")),
    ):
        one = made(asked_, NAME, found={1: "Answer: a"}, before={1: "no\nAnswer: b"})
        assert said(one, one.text.replace(AFTER, "\n## Q2")) == {}
        assert said(one, one.text.replace(AFTER, "Answer: B\n## Q2")) == {1: "B"}
        assert said(one, one.text.replace(AFTER, "B\n\n## Q2")) == {1: "B"}


@pytest.mark.parametrize(
    ("old", "new"),
    [("C", "C++"), ("C", "C#"), ("-1", "1"), ("x < 5", "x > 5"), ("का", "की"), ("e", "e\u0301"),
     ("use a.b", "use a/b"), ("yes", "Yes?"), ("1. a", "2. a"), ("port 80. So", "port 81. So"),
     ("one 2. x", "one x"), ("a\n1. b", "a 2. b"), ("a 1. b", "a\n2. b"), ("v1.5", "v15"),
     ("one two", "two one"), ("jwt", "JWT"), ("user_id", "user-id"), ("3.5", "3,5")],
)  # fmt: skip
def test_a_changed_answer_is_a_new_one(old: str, new: str) -> None:
    """An answer that differs in a letter, a digit or a meaningful sign is a new answer."""
    one = made(answers={1: old})
    assert said(one, one.text.replace(f"Answer: {old}\n", f"Answer: {new}\n")) == {1: new}


B = "- B) Server sessions"


@pytest.mark.parametrize(
    "instead",
    ["- [X] B) Server sessions", "- x B) Server sessions", "- B) Server sessions [x]",
     "✅ B) Server sessions", "- **B)** Server sessions", "__B) Server sessions__",
     "- B) **Server sessions**", "=> B) Server sessions", "- B) Server sessions <--",
     "- B) Server sessions 👈", "- B) Server sessions <<", "* [x] B) Server\n  sessions",
     "- [x] B) Server sessions\r", "-   [✓]   B) Server sessions",
     "\\[x\\] B) Server sessions", "- B) Server sessions x"],
)  # fmt: skip
def test_a_marked_option(instead: str) -> None:
    reading = read(made().text.replace(B, instead), made())
    assert reading == Reading({1: Added("B) Server sessions", ("B",))}, {}, (), "")


@pytest.mark.parametrize(
    "instead",
    ["- [ ] B) Server sessions", "* B) Server sessions", "-- " + B[2:], B + ".",
     "- _B) Server sessions_", "- ~~✓ B) Server sessions~~", "~~- B) Server sessions~~",
     "-   B) Server\n    sessions", "\\- B\\) Server sessions", "> " + B, "- `B) Server sessions`"],
)  # fmt: skip
def test_no_mark(instead: str) -> None:
    """List markers, single emphasis (_..._), struck text, code and quotes choose no option."""
    assert said(made(), made().text.replace(B, instead)) == {}


X = B.replace("- B", "- [x] B")
ALIKE = LOGIN._replace(options=("JWT", "use a JWT", "A) JWT"))


@pytest.mark.parametrize(
    ("one", "edits", "wanted"),
    [
        (made(), {"- A)": "- [x] A)", B: B + " ✓"}, Added("A) JWT\n" + B[2:], ("A", "B"))),
        (made(), {B: X + ", but short"}, Added(X + ", but short")),
        (made(), {B: X, AFTER: "Answer: for web\n\n## Q2"}, Added(B[2:] + "\nfor web")),
        (made(), {B: X, "- A) JWT": "- ~~A) JWT~~"}, Added(B[2:], ("B",))),
        (made(ALIKE, NAME), {"- B)": "- [x] B)"}, Added("B) use a JWT", ("B",))),
        (made(ALIKE, NAME), {"- C)": "- [x] C)"}, Added("C) A) JWT", ("C",))),
        (made(found={1: "A) JWT and B) Server sessions"}), {B: X}, Added(B[2:], ("B",))),
    ],
)  # fmt: skip
def test_marks_beside_words(one: Page, edits: dict[str, str], wanted: Added) -> None:
    """Words beside a mark make it a free answer. Similar options are distinguished."""
    text = one.text
    for old, new in edits.items():
        text = text.replace(old, new)
    assert read(text, one).added == {1: wanted}


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("", "", ""), ("\n", "\n\n", ""), ("\nuse", "\r\nuse", ""),
        ("first\n", "first\n\nmore\n\n    code\n```\n", "more\n\n    code\n```"),
        ("first\n", "first\n\nfirst\n", "first"), ("use port 80. Now\n", "", ""),
        ("first\n", "a\nfirst\n\nb\n", "a\n\nb"),
        ("80.", "81.", "use port 81. Now"), ("port 80. ", "", "use Now"),
    ],
)  # fmt: skip
def test_what_is_added_to_the_task(old: str, new: str, note: str) -> None:
    printed_ = "# s\n\n## 2026-01-01 task\n\nuse port 80. Now\n\nfirst\n"
    text = clean(printed_.replace(old, new, 1))
    assert more(text, printed_, by_word=False) == note


def test_a_page_saved_late_strikes_nothing_out(tmp_path: Path) -> None:
    history = History(tmp_path / "_history.jsonl").load()
    for one in (LOGIN, NAME):
        history.append("asked", **one._asdict() | {"options": list(one.options), "plan": None})
    file = QaFile(tmp_path, history, lambda line: None)
    file.read()
    assert file.print()
    late = (tmp_path / "_qa.md").read_text()
    history.append("answer", id=1, text="by terminal", by="terminal")
    history.append("asked", id=3, kind="action", title="Later", why="y")
    assert file.print() and "by terminal" in (tmp_path / "_qa.md").read_text()
    for text in (late, "\n" * 2000 + late, "my notes\n" * 500 + late):
        (tmp_path / "_qa.md").write_text(text.rstrip("\n") + " Bob\n")
        reading = file.read()
        assert (dict(reading.removed), reading.gone) == ({}, ())
        assert reading.added == {2: Added("Bob")}
        assert bool(reading.stray) == text.startswith("my")
        assert file.print()


CORPUS = sorted(FOLDER.glob("*.md"))


def test_the_corpus_is_complete() -> None:
    assert len(CORPUS) == 18, "python -m bench.corpus"


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_page_after_a_formatter(path: Path) -> None:
    """It says nothing until a person adds words or a mark, anywhere."""
    one, text = printed()[path.name.partition(".")[0]], path.read_text()
    assert read(text, one) == NOTHING
    rows = text.split("\n")
    for at in range(1, len(rows), 9):
        reading = read("\n".join([*rows[:at], "zebra", *rows[at:]]), one)
        head = [row for row in rows[:at] if re.match(r"## Q\d+: ", row)][-1:]
        block = int(head[0][4:].partition(":")[0]) if head else 0
        assert [n for n, a in reading.added.items() if "zebra" in a.text] == [block] * (block > 0)
        assert ("zebra" in reading.stray) == (block == 0)
        assert set(reading.added) <= {block} and not reading.removed and not reading.gone
    if path.name.startswith("open"):
        marked = read(re.sub(r"(?m)^([-*]) (B\\?\))", r"\1 [x] \2", text), one).added
        assert [added.marked for added in marked.values()] == [("B",)] * len(one.blocks)


def test_texts_that_were_not_taken_are_quoted() -> None:
    """Line by line. Headings and link references are escaped."""
    one = made(LOGIN, found={1: "one\n## Q2: two"}, before={1: "[d]: https://e.org/d"})
    assert one.text == (
        '<!-- Samocode printed this page (12). Write after "Answer:" and save. -->\n\n'
        "## Q1: Which login method?\n\nWhy: It decides where tokens live.\n\n"
        "- A) JWT\n- B) Server sessions\n\nSuggested: A, it fits the two API clients\n\n"
        "Answered before:\n\n> \\[d]: https://e.org/d\n\n"
        "Not taken yet:\n\n> one\n> \\## Q2: two\n\nAnswer:\n"
    )
    one, link = made(LOGIN, NAME), "as in [d]\n\n[d]: https://e.org/d"
    assert said(one, one.text + link) == {2: link}
    assert "\n\\[d]: https" in made(answers={1: link}).text


REPEATED = [
    "<!--", "<!-- a -->\n", "## Q2 x\n", "## Q2: Name?\n", "Answer: x\n", "w{}\n", "1. x\n", "\n",
    "> ", "[x]", "- A) JWT\n", "✓ ", "**", "~~", "[a]: b\n",
    "## Q1: Which login method?\nAnswer: {}\n",
]  # fmt: skip


def too_long(*_: object) -> None:
    raise AssertionError("reading a page takes more than linear time")


@pytest.mark.parametrize("piece", REPEATED, ids=repr)
def test_a_long_page_is_read_to_its_end(piece: str) -> None:
    """64 KB of a repeated piece. A backtracking pattern would take hours."""
    text = "".join(piece.format(number) for number in range((64 << 10) // len(piece))) + "y"
    one, many = made(), made(answers={1: text}, found={2: text}, before={3: text})
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(600)
    try:
        read(one.text.replace(AFTER, f"Answer:{text}\n\n## Q2"), one)
        read(text + one.text.partition("## Q2")[0], one)
        read(many.text.replace("Answer:", ""), many)
    finally:
        signal.alarm(0)
