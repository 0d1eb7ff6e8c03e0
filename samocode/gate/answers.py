"""Record answers from `_qa.md`, from the terminal and from --yes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from samocode.pages.answers import Added, Reading
from samocode.pages.meaning import missing, nothing_yet, taken
from samocode.pages.names import QA
from samocode.pages.qa_file import QaFile
from samocode.pages.questions import LETTERS, options
from samocode.pages.tokens import words
from samocode.record.state import APPROVE, CHANGE, Question
from samocode.session import Session

MAX_ANSWER = 1 << 18  # characters


@final
class Answers:
    """Reads, interprets and records answers."""

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self.page = QaFile(session.folder, session.history, say)
        self.say = say
        self._session = session
        self._unfinished: bytes | None = None  # content of a page with an incomplete answer

    def collect(self) -> None:
        """Record what a person added to the page while no child ran."""
        if not self.page.file.changed():
            return
        reading, state = self.page.read(), self._session.state
        for number, added in reading.added.items():
            answer, question = state.answers.get(number), state.asked[number]
            said = self._meant(question, added.text)
            if said and said == state.found.get(number) and number not in self.page.untaken:
                continue  # found after a child ran, and nobody has confirmed it
            if answer and answer.text == said and number not in state.found:
                continue  # the page was saved without a change
            if nothing_yet(added.text) and answer and number not in state.found:
                self._reopen({number: answer.text})
            if self.take(question, added, "file"):
                continue
            if question in state.open:
                self._unfinished = self.page.file.data
            else:
                self._keep(f"the answer to Q{number} stays as it was")
        self._reopen(reading.removed)
        self._say_rest(reading)

    def print(self) -> bool:
        """Print the page, unless somebody is still writing an answer on it. Return False if a
        person saved meanwhile."""
        data = self.page.file.data
        return (bool(data) and data == self._unfinished) or self.page.print()

    def after_child(self) -> None:
        """Record what was found on the page after a child ran, as `found`, not as an answer. The
        child or a person may have written it, so the question is open until a person confirms.

        The page is printed before the child's questions are recorded. Otherwise a child could write
        the page with its own questions in advance, with answers: it can guess the number in its
        first line."""
        reading, state = self.page.read(), self._session.state
        for number, added in reading.added.items():
            if len(added.text) > MAX_ANSWER:
                self._keep(f"a text for Q{number} is too long")
                continue
            answer, earlier = state.answers.get(number), state.found.get(number)
            if added.text in (earlier, answer.text if answer else None):
                continue
            if earlier:
                self._keep(f"an earlier text for Q{number}, never confirmed, is replaced")
            self._session.history.append("found", id=number, text=added.text)
            self.say(f"   {QA}: found text for Q{number}. If it is yours, answer `same`.")
        for number in reading.removed:  # the child may have removed it; asking again is safer
            self._session.history.append("found", id=number, text="")
            self.say(
                f"   {QA}: the answer to Q{number} was removed. Answer `before` to restore it."
            )
        self._say_rest(reading)
        self.page.print()

    def take(self, question: Question, added: Added, by: str) -> bool:
        """Record an answer. If it is empty, incomplete or too long, say why, record the reason
        (--status and --until-change show it), and return False."""
        text, lacks = self._meant(question, added.text), None
        if len(added.text) > MAX_ANSWER:
            lacks = "it is too long: put it in a file, and answer with its name"
        elif text is None:
            lacks = "there is no text that it refers to"
        elif not (lacks := missing(question, text)):
            self._record(question, text, taken(question, Added(text, added.marked)), by)
            return True
        why = f"`{added.text.strip()[-60:]}` is not taken: {lacks}"
        self._session.history.append("refused", id=question.id, why=why)
        self.say(f"Q{question.id}: {why}.")
        return False

    def take_line(self, question: Question, line: str) -> bool:
        """Record a line typed for a question. An empty line takes the suggestion."""
        if question not in self._session.state.open:
            self.say(f"   Q{question.id} was answered in {QA} first; that answer counts.")
            return False
        if line.strip():
            return self.take(question, Added(line), "terminal")
        added = suggestion(question)
        return added is not None and self.take(question, added, "terminal")

    def say_yes(self) -> None:
        """Answer with the suggestions and approve plans (--yes). Skips actions, questions that are
        open again because an answer was removed or text was found after a child ran, those whose
        suggestion was not taken, and a question that was asked before."""
        state = self._session.state
        for question in state.open:
            added = Added("approve") if question.kind == "approval" else suggestion(question)
            earlier = [q.title for q in state.asked.values() if q.id < question.id]
            repeated = question.kind == "qa" and question.title in earlier  # a child in a circle
            back = question.id in state.found or question.id in state.refused
            theirs = question.kind == "action" or back or repeated
            if added and not theirs:
                self.take(question, added, "yes")

    def _meant(self, question: Question, text: str) -> str | None:
        """Replace `same` and `before` by the text they refer to; None if there is no such text.
        They are plain words if the question itself has them, or nothing was found or removed."""
        state, number, said = self._session.state, question.id, words(text)
        offered = words(" ".join([question.title, *question.options]))
        if number not in state.found or set(said) & set(offered):
            return text
        if said == ["same"]:
            return state.found[number] or None
        if said == ["before"]:
            answer = state.answers.get(number)
            return answer.text if answer else None
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
        chosen = ", ".join(line for letter, line in options(question) if letter in took)
        meant = f": {chosen}" if chosen and chosen != first.strip() else ""
        self.say(f"Q{number}: {question.title}\n   {how} ({by}): {first[:200]}{rest}{meant}")

    def _reopen(self, removed: Mapping[int, str]) -> None:
        """Reopen the questions whose answer was removed from the page."""
        state = self._session.state
        for number, shown in removed.items():
            answer = state.answers.get(number)
            if answer and answer.text == shown and number not in state.found:
                self._session.history.append("found", id=number, text="")
                self.say(f"Q{number}: the answer was removed, so the question is open again.")

    def _say_rest(self, reading: Reading) -> None:
        if reading.gone:
            names = ", ".join(f"Q{number}" for number in reading.gone)
            self.say(
                f"   {QA}: the heading of {names} is missing or occurs twice; it is printed again."
            )
        if reading.stray:
            self._keep("some text belongs to no question: write it below the heading of one")

    def _keep(self, why: str) -> None:
        """Save a copy of the page and say why some text was not accepted."""
        self.say(f"   {QA}: {why}; the page is kept as {self.page.file.keep()}.")


def suggestion(question: Question) -> Added | None:
    """Return the suggested answer, or None."""
    letter = question.suggested.upper()
    if len(letter) == 1 and letter in LETTERS[: len(question.options)]:
        return Added(dict(options(question))[letter], (letter,))
    return Added(question.suggested) if question.suggested else None
