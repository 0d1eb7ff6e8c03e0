import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import tally


def run(*argv):
    """(exit code, standard output, standard error)"""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = tally.main(list(argv))
    return code, out.getvalue(), err.getvalue()


class WordsTest(unittest.TestCase):
    def test_lower_case(self):
        self.assertEqual(tally.words("The cat's THE"), ["the", "cat's", "the"])

    def test_digits_are_no_words(self):
        self.assertEqual(tally.words("4 cats"), ["cats"])


class RankedTest(unittest.TestCase):
    def test_equal_ones_by_alphabet(self):
        self.assertEqual(tally.ranked({"b": 1, "a": 1, "c": 2}), [("c", 2), ("a", 1), ("b", 1)])

    def test_top(self):
        self.assertEqual(tally.ranked({"b": 1, "c": 2}, 1), [("c", 2)])


class MainTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "a.txt")
        self.file.write_text("the cat the dog", encoding="utf-8")

    def test_file(self):
        self.assertEqual(run(str(self.file)), (0, "     2 the\n     1 cat\n     1 dog\n", ""))

    def test_missing_file(self):
        code, out, err = run("missing.txt")
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "tally: missing.txt: No such file or directory\n")


if __name__ == "__main__":
    unittest.main()
