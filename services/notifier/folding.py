"""What a template knows at load, written into it: the brand's facts, the language, and what these decide. Pure.

A mail then costs only what depends on the member, and `brand` and the language are out of an event's reach: no fact can
shadow a constant.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.visitor import NodeTransformer
from markupsafe import escape
from pydantic import BaseModel

from services.notifier.brands import Brand
from services.notifier.misspelt import meant

LOCALISED = frozenset({"when", "clock"})
"""Filters that get the reader's language and zone besides their value."""
SPOKEN = frozenset({"day", "span", "lasts"})
"""Filters that get the reader's language alone."""

N = TypeVar("N", nodes.Template, nodes.If, nodes.For)


class Folding(NodeTransformer):
    """For one brand and language. `problems` gains a line for each name that no brand has."""

    def __init__(self, brand: Brand, locale: str, *, escaped: bool, problems: list[str]) -> None:
        self._brand = brand
        self._locale = locale
        self._escaped = escaped
        self._problems = problems

    def visit_Template(self, node: nodes.Template) -> nodes.Node:  # noqa: N802 Jinja's visitor protocol, as below
        return self._folded(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        return self._folded(node)

    def visit_If(self, node: nodes.If) -> nodes.Node | list[nodes.Node]:  # noqa: N802
        self._folded(node)
        node.else_ = self._joined(node.else_)
        if node.elif_ or not isinstance(node.test, nodes.Expr):
            return node
        try:
            decided = bool(node.test.as_const())
        except nodes.Impossible:
            return node
        return node.body if decided else node.else_

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        path = _path(node)
        if path is None or path[0] != "brand":
            return self.generic_visit(node)
        value: Any = self._brand
        for name in path[1:]:
            if value is None:
                break
            known = getattr(type(value), "model_fields", {})
            if name not in known:
                self._problems.append(f"no fact of a brand is called {'.'.join(path)}{meant(name, known)}")
                return nodes.Const(None)
            value = getattr(value, name)
        if path[-1] == "phone" and value is not None and self._escaped:
            value = value.replace(" ", "\u00a0")  # a number does not break over two lines
        return nodes.Const(_constant(value), lineno=node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.name in LOCALISED | SPOKEN:
            zone = [nodes.Name("time_zone", "load")] if node.name in LOCALISED else []
            node.args = [nodes.Const(self._locale), *zone]
        return node

    def _folded(self, node: N) -> N:
        self.generic_visit(node)
        node.body = self._joined(node.body)
        return node

    def _joined(self, body: Sequence[nodes.Node]) -> list[nodes.Node]:
        """Neighbouring outputs as one, and within it constants and text as one piece of text."""
        joined: list[nodes.Node] = []
        for node in body:
            last = joined[-1] if joined else None
            if not isinstance(node, nodes.Output):
                joined.append(node)
                continue
            if not isinstance(last, nodes.Output):
                last = nodes.Output([], lineno=node.lineno)
                joined.append(last)
            for part in node.nodes:
                self._append(last.nodes, part)
        return joined

    def _append(self, parts: list[nodes.Expr], part: nodes.Expr) -> None:
        text = self._text(part)
        if text is None:
            parts.append(part)
        elif parts and isinstance(parts[-1], nodes.TemplateData):
            parts[-1] = nodes.TemplateData(parts[-1].data + text, lineno=parts[-1].lineno)
        else:
            parts.append(nodes.TemplateData(text, lineno=part.lineno))

    def _text(self, part: nodes.Expr) -> str | None:
        if isinstance(part, nodes.TemplateData):
            return part.data
        if isinstance(part, nodes.Const) and isinstance(part.value, str | int):
            return str(escape(part.value)) if self._escaped else str(part.value)
        return None


def constant_lines(tree: nodes.Template) -> Iterator[str]:
    """Lines that lie whole within a piece of text: no tag is in them, nor on their edge."""
    for data in tree.find_all(nodes.TemplateData):
        yield from data.data.split("\n")[1:-1]


def _constant(value: Any) -> Any:
    """A group of facts (`brand.help.safe_senders`) can only be asked for: whether it was given."""
    if isinstance(value, BaseModel):
        return True
    return tuple(sorted(value)) if isinstance(value, frozenset) else value


def _path(node: nodes.Node) -> list[str] | None:
    if isinstance(node, nodes.Name):
        return [node.name]
    if isinstance(node, nodes.Getattr):
        path = _path(node.node)
        return None if path is None else [*path, node.attr]
    return None
