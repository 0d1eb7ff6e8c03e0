import unittest

from links import slugify


class SlugifyTest(unittest.TestCase):
    def test_words_are_joined_by_hyphens(self) -> None:
        self.assertEqual(slugify("Hello, wide World!"), "hello-wide-world")

    def test_digits_stay(self) -> None:
        self.assertEqual(slugify("Top 10"), "top-10")

    def test_no_link_is_longer_than_the_limit(self) -> None:
        link = slugify("A very long title about many small things", limit=20)
        self.assertLessEqual(len(link), 20)
