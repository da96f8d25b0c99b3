"""An HTML mail as its reader gets it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a reader gets of an HTML document: words, links, and what would be fetched."""

    VOID = frozenset({"meta", "br", "img", "link", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.attributes: dict[str, list[dict[str, str | None]]] = {}
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.attributes.setdefault(tag, []).append(named)
        if tag == "a":
            self.links.append(named["href"] or "")
        self.fetched += [f"{tag} {name}" for name in named if name in {"src", "srcset", "background", "poster"}]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"head"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u034f\u200c\u00a0", "").split())
