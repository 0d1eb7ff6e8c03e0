"""A report as a browser parses it, and texts that try to inject markup."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

HOSTILE = (
    "<script>document.title='RAN'</script>",
    "<img src=x onerror=\"document.title='RAN'\">",
    '" onmouseover="document.title=\'RAN\'" x="',
    "</title></style></svg></main><h1>out",
    "<!-- <![CDATA[ ]]> --> &lt;b&gt; &#60;i&#62; &amp",
    "javascript:document.title='RAN'",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<base href='http://127.0.0.1:9/'><link rel=stylesheet href=x><iframe src=x>",
    "r\u202eeversed \u2066and\u2069 \x1b[2J\x00\x07\x9b\r\u2028 driven",
    "a lone \udcff surrogate, \ufeff\ufffe and 漢字 👩‍👩‍👧",
)
ATTRIBUTES = {
    "html": {"lang"}, "meta": {"charset", "http-equiv", "content", "name"}, "a": {"href"},
    "svg": {"width", "height", "role", "aria-label", "aria-hidden", "class"},
    "rect": {"x", "y", "width", "height", "class"}, "text": {"x", "y"},
    "th": {"class", "scope"}, **{name: {"class"} for name in ("p", "td", "div", "span")},
}  # fmt: skip
OTHERS = "head title style body main section h1 h2 h3 strong small pre ul li table thead tbody tr"
ELEMENTS = {*ATTRIBUTES, *f"{OTHERS} figure figcaption".split(" ")}


class Seen(HTMLParser):
    """A parsed page. AssertionError if it has an element or attribute that no report has."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words, self.links, self.labels = list[str](), list[str](), list[str]()
        self.bars, self._open = 0, list[str]()
        self.feed(page)
        self.close()
        assert self._open == []
        self.text = "\n".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert tag in ELEMENTS and len(attrs) == len(given), tag
        assert given.keys() <= ATTRIBUTES.get(tag, set()), given
        assert re.fullmatch("[a-z ]*", given.get("class", "")), given
        self.bars += tag == "rect"
        self.links += [given["href"]] if tag == "a" else []
        self.labels += [given["aria-label"]] if "aria-label" in given else []
        self._open += [tag] if tag != "meta" else []

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_pi = unknown_decl = handle_comment

    def leads_into(self, folder: Path) -> bool:
        """Whether every link leads to a regular file below this folder."""
        for link in self.links:
            assert re.fullmatch(r"\./(_logs/)?[\w.~%-]+", link, re.ASCII), link
            path = bytes(folder) + b"/" + unquote_to_bytes(link)
            assert Path(path.decode(errors="surrogateescape")).is_file(), link
        return True
