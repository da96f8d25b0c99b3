"""What a translator may write, and what becomes of it in both parts."""

import pytest
from jinja2 import Environment

from services.notifier.markup import MarkupError, Tags, render


def parts(markdown: str, locale: str = "en", **facts: object) -> tuple[str, str]:
    tags = Tags()
    result = render(markdown, locale, tags)
    # No autoescape: these tests are about structure.
    environment = Environment(keep_trailing_newline=True)  # noqa: S701
    html, text = (environment.from_string(part).render(facts) for part in (tags.show_html(result.html), result.text))
    return html, text


def test_a_heading_is_underlined_in_the_text_part() -> None:
    assert parts("# Title\n\n## Second") == ("<h1>Title</h1>\n<h2>Second</h2>\n", "Title\n========\n\nSecond\n\n")


def test_marks_of_emphasis_stay_out_of_the_text_part() -> None:
    html, text = parts("One **two** *three* `four`\nfive\\\nsix")
    assert html == "<p>One <strong>two</strong> <em>three</em> <code>four</code>\nfive<br>\nsix</p>\n"
    assert text == "One two three four five\nsix\n\n"


def test_a_condition_on_lines_of_its_own_holds_whole_paragraphs() -> None:
    source = "A\n\n{% if yes %}\nB\n{% else %}\nC\n{% endif %}\n\nD"
    assert parts(source, yes=True) == ("<p>A</p>\n<p>B</p>\n<p>D</p>\n", "A\n\nB\n\nD\n\n")
    assert parts(source, yes=False) == ("<p>A</p>\n<p>C</p>\n<p>D</p>\n", "A\n\nC\n\nD\n\n")


def test_a_condition_within_a_box_stays_in_the_box() -> None:
    source = "> A\n> {% if yes %}\n> B\n> {% endif %}"
    html, text = parts(source, yes=True)
    assert "<td>\n<p>A</p>\n<p>B</p>\n</td>" in html
    assert text == "A\n\nB\n\n"
    html, text = parts(source, yes=False)
    assert "<td>\n<p>A</p>\n</td>" in html
    assert text == "A\n\n"


def test_a_lone_link_is_a_button_and_a_link_in_a_sentence_is_not() -> None:
    html, text = parts("[Go]({{ url }})", url="https://a.example/x?b=1")
    assert '<table role="presentation" class="button"' in html
    assert '<a href="https://a.example/x?b=1">Go</a>' in html
    assert text == "Go\nhttps://a.example/x?b=1\n\n"
    assert parts("See [here](https://a.example).") == (
        '<p>See <a href="https://a.example">here</a>.</p>\n',
        "See here (https://a.example).\n\n",
    )


def test_a_lone_code_is_the_large_one() -> None:
    html, text = parts("`{{ code }}`", code="123456")
    assert 'class="code"' in html
    assert "\n123456\n" in html
    assert text == "    123456\n\n"


def test_a_row_without_a_value_disappears() -> None:
    source = "- **When:** {{ at }}\n- **Where:** {{ place }}"
    html, text = parts(source, at="now", place=None)
    assert '<th scope="row">When</th>\n<td>\nnow\n</td>' in html
    assert "Where" not in html
    assert text == "When: now\n\n"
    assert parts(source, at="now", place="here")[1] == "When: now\nWhere: here\n\n"


def test_lists_are_lists() -> None:
    assert parts("- a\n- b") == ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n", "- a\n- b\n\n")
    assert parts("1. a\n2. b") == ("<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n", "1. a\n2. b\n\n")


def test_html_in_the_source_is_text() -> None:
    assert parts("a <b>c</b> & d")[0] == "<p>a &lt;b&gt;c&lt;/b&gt; &amp; d</p>\n"


def test_french_punctuation_keeps_its_space() -> None:
    assert parts("Où ? « Ici » : oui !", "fr")[1] == "Où\u00a0? «\u00a0Ici\u00a0»\u00a0: oui\u00a0!\n\n"
    assert parts("Where ?")[1] == "Where ?\n\n"


def test_written_out_links_are_told_apart_from_those_of_facts() -> None:
    assert render("[a](https://a.example) [b]({{ url }})", "en", Tags()).links == ("https://a.example",)


@pytest.mark.parametrize("source", ["![a](b.png)", "    code", "#### four", "- a\n\n  b", "- "])
def test_what_mail_has_no_form_for_is_refused(source: str) -> None:
    with pytest.raises(MarkupError):
        render(source, "en", Tags())
