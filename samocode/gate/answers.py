"""Answers on their way into the record: from the page, the terminal, --yes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from samocode.pages.answers import Added, Reading
from samocode.pages.meaning import nothing_yet, taken, unfinished
from samocode.pages.names import QA
from samocode.pages.qa_file import QaFile
from samocode.pages.questions import LETTERS, options
from samocode.pages.tokens import words
from samocode.record.state import APPROVE, CHANGE, Question
from samocode.session import Session

MAX_ANSWER = 1 << 18  # characters


@final
class Answers:
    """Records each answer, with all that it means."""

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self.page = QaFile(session.folder, session.history, say)
        self.say = say
        self._session = session
        self._unfinished: bytes | None = None  # a page with words that are no answer yet

    def collect(self) -> None:
        """Record what a person added to the page while no child ran."""
        if not self.page.file.changed():
            return
        reading, state = self.page.read(), self._session.state
        for number, added in reading.added.items():
            answer, question = state.answers.get(number), state.asked[number]
            said = self._meant(question, added.text)
            if said and said == state.found.get(number) and number not in self.page.untaken:
                continue  # found after a child ran, and not shown to a human since
            if answer and answer.text == said and number not in state.found:
                continue  # a page that was saved again
            if nothing_yet(added.text) and answer and number not in state.found:
                self._strike({number: answer.text})
            elif not self.take(question, added, "file") and question in state.open:
                self._unfinished = self.page.file.data
        self._strike(reading.struck)
        self._say_rest(reading)

    def print(self) -> bool:
        """Print the page, unless it has words that are no answer yet: somebody may be at work on
        it. False when a person saved meanwhile."""
        data = self.page.file.data
        return (bool(data) and data == self._unfinished) or self.page.print()

    def after_child(self) -> None:
        """Record what was found on the page after a child ran. Whose words these are, nobody knows:
        they are printed as "Not taken yet", and the question is open."""
        reading, state = self.page.read(), self._session.state
        for number, added in reading.added.items():
            if len(added.text) > MAX_ANSWER:
                self._keep(f"a text for Q{number} is too long")
                continue
            answer, earlier = state.answers.get(number), state.found.get(number)
            if added.text in (earlier, answer.text if answer else None):
                continue
            if earlier:
                self._keep(f"an earlier text for Q{number} is not taken")
            self._session.history.append("found", id=number, text=added.text)
            self.say(f"   {QA}: text was found for Q{number}; answer `same` to take it.")
        for number in reading.struck:  # a gate that is shut harms less than a yes taken back
            self._session.history.append("found", id=number, text="")
            self.say(f"   {QA}: the answer to Q{number} was removed; `before` keeps it.")
        self._say_rest(reading)

    def take(self, question: Question, added: Added, by: str) -> bool:
        """Record an answer; False when it says nothing yet."""
        number, text = question.id, self._meant(question, added.text)
        if len(added.text) > MAX_ANSWER:
            self._keep(f"the answer to Q{number} is too long; name a file in it")
        elif text is None:
            self.say(f"Q{number}: `{added.text.strip()}` takes a text that is not there.")
        elif unfinished(question, text):
            self.say(f"Q{number}: waiting for the rest of: {text[-60:]}")
        elif not nothing_yet(text):
            self._record(question, text, taken(question, Added(text, added.marked)), by)
            return True
        return False

    def take_line(self, question: Question, line: str) -> bool:
        """A line typed for a question; an empty one takes the suggestion."""
        if question not in self._session.state.open:
            self.say(f"   Q{question.id} is answered in {QA} meanwhile: that counts.")
            return False
        if line.strip():
            return self.take(question, Added(line), "terminal")
        added = suggestion(question)
        return added is not None and self.take(question, added, "terminal")

    def say_yes(self) -> None:
        """--yes: the suggestion is the answer, a plan is approved. Never for what only a human can
        do, nor for what a human once answered or a text was found for."""
        state = self._session.state
        for question in state.open:
            added = Added("approve") if question.kind == "approval" else suggestion(question)
            theirs = question.kind == "action" or question.id in state.human | set(state.found)
            if added and not theirs:
                self.take(question, added, "yes")

    def _meant(self, question: Question, text: str) -> str | None:
        """The text that `same` or `before` stands for; None when there is none."""
        state, number, said = self._session.state, question.id, words(text)
        if said == ["same"]:
            return state.found.get(number) or None
        if said == ["before"]:
            answer = state.answers.get(number)
            return state.before.get(number) or (answer.text if answer else None)
        return text

    def _record(self, question: Question, text: str, took: tuple[str, ...], by: str) -> None:
        state, number, onward = self._session.state, question.id, None
        note: str | None = f"Q{number} is answered in {QA}."
        if question.kind != "approval":
            if number in state.answers:
                note = f"The human changed the answer to Q{number}."
        elif number != state.approval_id:
            took, plan = (), question.plan
            note = f"The human now says to Q{number}, an old question on {plan}: {text}"
        elif took == APPROVE:
            note = None
        else:
            onward, refused = "planning", f"The human did not approve the plan {question.plan}"
            note = f"{refused} and wants this change: {text}"
        self._session.history.append(
            "answer", id=number, text=text, by=by, took=list(took) or None, next=onward,
            notes=[note] if note else None, decision=by != "yes" or None,
        )  # fmt: skip
        how = "taken as a change request" if took == CHANGE else "answer"
        how = "taken as a yes" if took == APPROVE else how
        first, *more = text.splitlines()
        rest = f" (and {len(more)} more line{'s' * (len(more) > 1)})" if more else ""
        self.say(f"Q{number}: {question.title}\n   {how} ({by}): {first[:200]}{rest}")

    def _strike(self, struck: Mapping[int, str]) -> None:
        """Open the questions again whose answer (the text that was shown) is gone from the page."""
        for number, shown in struck.items():
            answer = self._session.state.answers.get(number)
            if answer and answer.text == shown:
                self._session.history.append("struck", id=number)
                self.say(f"Q{number}: its answer was struck out, so it is open again.")

    def _say_rest(self, reading: Reading) -> None:
        if reading.gone:
            names = ", ".join(f"Q{number}" for number in reading.gone)
            self.say(f"   {QA}: {names} was not as printed, and is printed again.")
        if reading.stray:
            self._keep("words above the first question belong to none")

    def _keep(self, why: str) -> None:
        """Keep the page beside with what was not taken in from it."""
        self.say(f"   {QA}: {why}; the page is kept as {self.page.file.keep()}.")


def suggestion(question: Question) -> Added | None:
    """The suggested answer, an option by its printed line; None without one."""
    letter = question.suggested.upper()
    if len(letter) == 1 and letter in LETTERS[: len(question.options)]:
        return Added(dict(options(question))[letter], (letter,))
    return Added(question.suggested) if question.suggested else None
