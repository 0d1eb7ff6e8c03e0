"""The decisions of the demo, and what each changes in the code and its tests."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from samocode.demo.notebook import Question

CODE = "links/slug.py"
TESTS = "tests/test_slug.py"

HEAD = """\
def slugify(title: str) -> str:
    \"\"\"The title as the last part of a link: lower case, words joined by hyphens.\"\"\"
"""
NEW_HEAD = """\
def slugify(title: str, limit: int = 40) -> str:
    \"\"\"The title as the last part of a link: lower case, words joined by hyphens.

    No longer than `limit`: {rule}
    \"\"\"
"""
WORDS = '    words = re.findall(r"[a-z0-9]+", title.lower())\n'
JOIN = '    return "-".join(words)\n'


@dataclass(frozen=True)
class Option:
    """One possible answer and what follows from it."""

    letter: str
    says: str
    requirement: str
    changes: tuple[tuple[str, str], ...]
    """Exact replacements in CODE: old, new."""
    test: str
    """A test method that fails without `changes`."""


@dataclass(frozen=True)
class Topic:
    """One question. Its first option is the suggestion."""

    title: str
    why: str
    reason: str
    commit: str
    """The commit message."""
    trial: str
    """An expression that shows the behaviour."""
    options: tuple[Option, ...]

    def question(self) -> Mapping[str, object]:
        """Return the question in the form of a signal."""
        return {
            "title": self.title,
            "why": self.why,
            "options": [option.says for option in self.options],
            "suggested": self.options[0].letter,
            "because": self.reason,
        }

    def choose(self, answer: str) -> Option:
        """Return the option whose letter the answer starts with, else the suggestion."""
        named = re.match(r"\W*([A-Za-z])\b", answer)
        letter = named[1].upper() if named else ""
        return next((one for one in self.options if one.letter == letter), self.options[0])


@dataclass(frozen=True)
class Choice:
    """An answered question and the option that its answer means."""

    question: Question
    topic: Topic
    option: Option


TOO_LONG = Topic(
    title="What happens to a title that is longer than the limit?",
    why="it decides whether a link may end in half a word.",
    commit="Limit the length of a link",
    trial="slugify('A very long title about many small things', limit=20)",
    reason="half a word in a link looks like a mistake",
    options=(
        Option(
            letter="A",
            says="Leave out the words that do not fit",
            requirement="a link is at most `limit` long (40); a first word that is longer is cut",
            changes=(
                (HEAD, NEW_HEAD.format(rule="what does not fit is left out, a long word is cut.")),
                (
                    JOIN,
                    '    while len(words) > 1 and len("-".join(words)) > limit:\n'
                    "        words.pop()\n"
                    '    return "-".join(words)[:limit]\n',
                ),
            ),
            test=(
                "    def test_words_that_do_not_fit_are_left_out(self) -> None:\n"
                '        self.assertEqual(slugify("Hello wide world", limit=8), "hello")\n'
            ),
        ),
        Option(
            letter="B",
            says="Cut at the limit, also inside a word",
            requirement="a link is at most `limit` long (40), cut inside a word if need be",
            changes=(
                (HEAD, NEW_HEAD.format(rule="the rest is cut off.")),
                (JOIN, '    return "-".join(words)[:limit].rstrip("-")\n'),
            ),
            test=(
                "    def test_the_rest_is_cut_off(self) -> None:\n"
                '        self.assertEqual(slugify("Hello wide world", limit=8), "hello-wi")\n'
            ),
        ),
    ),
)

NO_WORD = Topic(
    title='What is the link of a title without any letter or digit, like "!!!"?',
    why="today it is empty, and an empty link opens the wrong page.",
    commit="Decide the link of a title without a word",
    trial="slugify('!!!')",
    reason="a page with a plain link is better than a page that cannot be saved",
    options=(
        Option(
            letter="A",
            says='The word "untitled"',
            requirement='a title without letter or digit gives "untitled"',
            changes=((WORDS, WORDS.rstrip("\n") + ' or ["untitled"]\n'),),
            test=(
                "    def test_a_title_without_a_word_is_untitled(self) -> None:\n"
                '        self.assertEqual(slugify("!!!"), "untitled")\n'
            ),
        ),
        Option(
            letter="B",
            says="An error that names the title",
            requirement="a title without letter or digit raises ValueError and names the title",
            changes=(
                (
                    WORDS,
                    WORDS
                    + "    if not words:\n"
                    + '        raise ValueError(f"no letter or digit in the title {title!r}")\n',
                ),
            ),
            test=(
                "    def test_a_title_without_a_word_is_an_error(self) -> None:\n"
                '        with self.assertRaisesRegex(ValueError, "!!!"):\n'
                '            slugify("!!!")\n'
            ),
        ),
    ),
)

TOPICS = (TOO_LONG, NO_WORD)


def choices(asked: Iterable[Question]) -> tuple[Choice, ...]:
    """Return those of the demo's questions that were asked, in the order of TOPICS."""
    known = {question.title: question for question in asked}
    return tuple(
        Choice(question, topic, topic.choose(question.answer))
        for topic in TOPICS
        if (question := known.get(topic.title))
    )
