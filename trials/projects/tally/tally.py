"""Count words in text files."""

import argparse
import re
import sys
from collections import Counter

WORD = re.compile(r"[A-Za-z']+")


class TallyError(Exception):
    """What the user can mend; its text is shown without a traceback."""


def words(text):
    """The words of a text, in lower case."""
    return [word.lower() for word in WORD.findall(text)]


def count(texts):
    """How often each word occurs in all texts together."""
    total = Counter()
    for text in texts:
        total.update(words(text))
    return total


def ranked(total, top=None):
    """(word, number) pairs, the most frequent first, equal ones by alphabet."""
    pairs = sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
    return pairs if top is None else pairs[:top]


def read(name):
    """A file's text."""
    try:
        with open(name, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise TallyError(f"{name}: {error.strerror}") from error


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tally", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--top", type=int, metavar="N", help="show the N most frequent words only")
    args = parser.parse_args(argv)
    try:
        texts = [read(name) for name in args.files] or [sys.stdin.read()]
    except TallyError as error:
        print(f"tally: {error}", file=sys.stderr)
        return 1
    for word, number in ranked(count(texts), args.top):
        print(f"{number:6d} {word}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
