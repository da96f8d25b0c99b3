"""Markdown with Jinja tags → HTML and text, both from the same tokens. Pure.

A Jinja tag travels through Markdown as one opaque word and is put back at the end. What a translator writes:

    # Heading                          the mail's title
    `{{ code }}`                       alone in a paragraph: the large one-time code
    [Sign in]({{ url }})               alone in a paragraph: a button; in the text part, label and address
    - **When:** {{ at | when }}        a list that starts each item in bold: a table of facts;
                                       a row disappears when the value of its one tag is None or empty
    > **If this wasn't you** …         a highlighted box
    ---                                what follows is the small print
    {% if name %} … {% endif %}        anywhere, in a sentence or on lines of their own
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_WORD = re.compile(r"jinja(\d+)tag")
_PRINTS = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)")
_FRENCH_SPACE = re.compile(r" (?=[:;?!»])|(?<=«) ")
TEXT_RULE = "-" * 40 + "\n\n"
_BARE = 'cellpadding="0" cellspacing="0" border="0"'
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


class MarkupError(ValueError):
    """Something the conventions above have no form for."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The two parts, and the links written out in the Markdown. `html` still has its tags hidden, for the layout."""

    html: str
    text: str
    links: tuple[str, ...]


def render(markdown: str, locale: str, tags: "Tags", *, lists: Sequence[str] = ()) -> Rendered:
    """`lists`: the facts that each of several `actions` has its own of; the table of facts is then repeated for each.

    Raises `MarkupError` for an element that mail has no form for (an image, a code block, a level-4 heading)."""
    source = _own_lines(tags.hide(markdown), tags)
    root = SyntaxTreeNode(_MARKDOWN.parse(source))
    parts = _Parts(tags, locale, lists)
    html = "".join(parts.block_html(node) for node in root.children)
    text = "".join(parts.block_text(node) for node in root.children)
    links = tuple(
        tags.show(str(node.attrs["href"]))
        for node in root.walk()
        if node.type == "link" and not _WORD.match(str(node.attrs["href"]))
    )
    return Rendered(html, tags.show(text), links)


def spaced(text: str, locale: str) -> str:
    """French sets a space that must not break before `: ; ? !` and inside « »."""
    return _FRENCH_SPACE.sub("\u00a0", text) if locale == "fr" else text


class Tags:
    """Jinja tags, kept aside under opaque words that an HTML parser and Markdown let pass."""

    def __init__(self) -> None:
        self._tags: list[str] = []

    def hide(self, text: str) -> str:
        if _WORD.search(text):
            raise MarkupError("jinja<number>tag is a word of our own")
        return _TAG.sub(self._keep, text)

    def _keep(self, found: re.Match[str]) -> str:
        self._tags.append(found.group())
        return f"jinja{len(self._tags) - 1}tag"

    def show(self, text: str) -> str:
        return _WORD.sub(lambda found: self._tags[int(found[1])], text)

    def show_html(self, html: str) -> str:
        """A control tag between blocks is an HTML comment until here: as a bare word it would fall out of a table."""
        return self.show(re.sub(r"<!--(.*?)-->", lambda found: found[1] if _WORD.match(found[1]) else found[0], html))

    def controls(self, text: str) -> bool:
        """Whether the text is control tags and nothing else."""
        numbers = [int(found[1]) for found in _WORD.finditer(text)]
        alone = not _WORD.sub("", text).strip()
        return alone and bool(numbers) and not any(self._tags[number].startswith("{{") for number in numbers)

    def printed_name(self, text: str) -> str | None:
        """The name that a text of exactly one print tag starts with."""
        found = _WORD.fullmatch(text.strip())
        prints = _PRINTS.match(self._tags[int(found[1])]) if found else None
        return prints[1] if prints else None


def _own_lines(source: str, tags: Tags) -> str:
    """Give a line of control tags blank lines around it, so that Markdown sees a paragraph there."""
    lines: list[str] = []
    for line in source.split("\n"):
        quote = (re.match(r"(> ?)*", line) or [""])[0]
        if tags.controls(line[len(quote) :]):
            lines += [quote.rstrip(), line, quote.rstrip()]
        else:
            lines.append(line)
    return "\n".join(lines)


class _Parts:
    """The two renderers side by side, so that no element can exist in only one of them."""

    def __init__(self, tags: Tags, locale: str, lists: Sequence[str]) -> None:
        self._tags = tags
        self._locale = locale
        self._lists = lists

    # --- blocks: HTML -------------------------------------------------------------------------------------------------

    def block_html(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "heading" if node.tag in {"h1", "h2", "h3"}:
                return f"<{node.tag}>{self._html(node)}</{node.tag}>\n"
            case "paragraph":
                return self._paragraph_html(node)
            case "bullet_list" if self._is_facts(node):
                rows = "".join(self._fact_html(item) for item in node.children)
                # The parser would put a `tbody` of its own before the first row, within the condition of that row.
                table = _spaced_out(f'<table class="facts" {_BARE}>\n<tbody>{rows}</tbody></table>')
                return self._for_each_action(table, "<!--{}-->")
            case "bullet_list" | "ordered_list":
                items = "".join(f"<li>{self._item(item, self._html)}</li>\n" for item in node.children)
                return f"<{node.tag}>\n{items}</{node.tag}>\n"
            case "blockquote":
                return _box("callout", "\n" + "".join(self.block_html(child) for child in node.children))
            case "hr":
                return '</td></tr>\n<tr><td class="aside">\n'
            case _:
                raise MarkupError(f"line {_line(node)}: mail has no form for {node.type} {node.tag}")

    def _paragraph_html(self, node: SyntaxTreeNode) -> str:
        content = node.children[0].content
        if self._tags.controls(content):
            return "".join(f"<!--{found.group()}-->" for found in _WORD.finditer(content))
        lone = _lone(node)
        if lone is not None and lone.type == "code_inline":
            return _box("code", f"\n{escape(lone.content)}\n")
        if lone is not None and lone.type == "link":
            return _box("button", self._inline_html([lone]))
        return f"<p>{self._html(node)}</p>\n"

    def _fact_html(self, item: SyntaxTreeNode) -> str:
        label, value = self._label_and_value(item)
        name = self._tags.printed_name("".join(_plain(node) for node in value))
        heading = self._inline_html(label).rstrip(" :\u00a0")
        # The value has a line of its own: the other lines are the same in every mail, and encoded once.
        row = f'<tr>\n<th scope="row">{heading}</th>\n<td>\n{self._inline_html(value).strip()}\n</td></tr>\n'
        return self._guarded(row, name, "<!--{}-->")

    # --- blocks: text -------------------------------------------------------------------------------------------------

    def block_text(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "heading":
                line = self._text(node)
                return f"{line}\n{'=' * min(max(len(line), 8), 60)}\n\n" if node.tag == "h1" else f"{line}\n\n"
            case "paragraph":
                return self._paragraph_text(node)
            case "bullet_list" if self._is_facts(node):
                return self._for_each_action("".join(self._fact_text(item) for item in node.children) + "\n", "{}")
            case "bullet_list" | "ordered_list":
                return self._list_text(node)
            case "blockquote":
                return "".join(self.block_text(child) for child in node.children)
            case _:
                return TEXT_RULE

    def _list_text(self, node: SyntaxTreeNode) -> str:
        items = [self._item(item, self._text) for item in node.children]
        marks = ["-"] * len(items) if node.type == "bullet_list" else [f"{number + 1}." for number in range(len(items))]
        return "".join(f"{mark} {item}\n" for mark, item in zip(marks, items, strict=True)) + "\n"

    def _paragraph_text(self, node: SyntaxTreeNode) -> str:
        content = node.children[0].content
        if self._tags.controls(content):
            return content.replace("\n", "")
        lone = _lone(node)
        if lone is not None and lone.type == "code_inline":
            return f"    {lone.content}\n\n"
        if lone is not None and lone.type == "link":
            # No colon: French would want a space before it.
            return f"{self._inline_text(lone.children)}\n{lone.attrs['href']}\n\n"
        return f"{self._text(node)}\n\n"

    def _fact_text(self, item: SyntaxTreeNode) -> str:
        label, value = self._label_and_value(item)
        name = self._tags.printed_name("".join(_plain(node) for node in value))
        return self._guarded(f"{self._inline_text(label)} {self._inline_text(value).strip()}\n", name, "{}")

    # --- inline -------------------------------------------------------------------------------------------------------

    def _html(self, node: SyntaxTreeNode) -> str:
        return self._inline_html(node.children[0].children)

    def _text(self, node: SyntaxTreeNode) -> str:
        return self._inline_text(node.children[0].children)

    def _inline_html(self, nodes: Sequence[SyntaxTreeNode]) -> str:
        return "".join(self._one_html(node) for node in nodes)

    def _one_html(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "text":
                return escape(self._spaced(node.content), quote=False)
            case "softbreak":
                return "\n"
            case "hardbreak":
                return "<br>\n"
            case "code_inline":
                return f"<code>{escape(node.content)}</code>"
            case "strong" | "em":
                return f"<{node.tag}>{self._inline_html(node.children)}</{node.tag}>"
            case "link":
                return f'<a href="{escape(str(node.attrs["href"]))}">{self._inline_html(node.children)}</a>'
            case _:
                raise MarkupError(f"mail has no form for {node.type}")

    def _inline_text(self, nodes: Sequence[SyntaxTreeNode]) -> str:
        return "".join(self._one_text(node) for node in nodes)

    def _one_text(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "text":
                return self._spaced(node.content)
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "link":
                label, address = self._inline_text(node.children), str(node.attrs["href"])
                return address if label == address else f"{label} ({address})"
            case _:
                return self._inline_text(node.children) if node.children else node.content

    def _spaced(self, text: str) -> str:
        return spaced(text, self._locale)

    # --- facts and items ----------------------------------------------------------------------------------------------

    def _is_facts(self, node: SyntaxTreeNode) -> bool:
        return all(_item_nodes(item)[0].type == "strong" for item in node.children)

    def _label_and_value(self, item: SyntaxTreeNode) -> tuple[list[SyntaxTreeNode], list[SyntaxTreeNode]]:
        label, *value = _item_nodes(item)
        return label.children, value

    def _guarded(self, row: str, name: str | None, form: str) -> str:
        if name is None:
            return row
        before, after = self._tags.hide(f"{{% if {name} %}}"), self._tags.hide("{% endif %}")
        return f"{form.format(before)}{row}{form.format(after)}"

    def _for_each_action(self, table: str, form: str) -> str:
        """The names mean the action's own facts within the loop, and the event's outside."""
        if not self._lists:
            return table
        names = "".join(f"{{% set {name} = action.{name} %}}" for name in self._lists)
        begin, again, end = (
            form.format(self._tags.hide(tag))
            for tag in ("{% if actions %}{% for action in actions %}" + names, "{% endfor %}{% else %}", "{% endif %}")
        )
        return f"{begin}{table}{again}{table}{end}"

    def _item(self, item: SyntaxTreeNode, form: Callable[[SyntaxTreeNode], str]) -> str:
        if len(item.children) != 1:
            raise MarkupError(f"line {_line(item)}: a list item is one paragraph")
        return form(item.children[0])


def _item_nodes(item: SyntaxTreeNode) -> list[SyntaxTreeNode]:
    """Inline nodes of a list item. Markdown leaves empty text around emphasis at the edge of a line."""
    if not item.children or not item.children[0].children:
        raise MarkupError(f"line {_line(item)}: an empty list item")
    nodes = item.children[0].children[0].children
    return [node for node in nodes if node.type != "text" or node.content]


def _lone(paragraph: SyntaxTreeNode) -> SyntaxTreeNode | None:
    nodes = [node for node in paragraph.children[0].children if node.type != "text" or node.content]
    return nodes[0] if len(nodes) == 1 else None


def _plain(node: SyntaxTreeNode) -> str:
    return "".join(_plain(child) for child in node.children) if node.children else node.content


def _box(kind: str, content: str) -> str:
    """A table of one cell: the one box that every mail client draws alike."""
    return _spaced_out(f'<table role="presentation" class="{kind}" {_BARE}><tr><td>{content}</td></tr></table>')


def _spaced_out(table: str) -> str:
    """White space around a table as padding: Outlook knows no margin of a table."""
    return f'<table role="presentation" width="100%" {_BARE}><tr><td class="gap">\n{table}\n</td></tr></table>\n'


def _line(node: SyntaxTreeNode) -> int:
    return node.map[0] + 1 if node.map else 0
