"""The gallery shows every message, and against a revision what differs."""

from pathlib import Path

import pytest

from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE
from services.notifier.preview_command import preview
from services.notifier.samples import samples
from tests.support.pages import Page


def test_every_message_of_the_catalogue_is_in_it(tmp_path: Path) -> None:
    told = preview(tmp_path, frozenset(), None)
    every = list(samples(load_brands()))
    assert told == f"{len(every)} messages in {tmp_path / 'index.html'}"
    index = (tmp_path / "index.html").read_text("utf-8")
    assert {notice.name for notice in CATALOGUE} <= {each["id"] for each in Page(index).attributes["section"]}
    mails = {sample.id.replace("/", "-") + ".html" for sample in every if sample.channel == "email"}
    assert {path.name for path in tmp_path.iterdir()} == mails | {"index.html", "messages.json", "doubts.json"}
    assert index.count("<figure class=sms>") == sum(sample.channel == "sms" for sample in every)


def test_it_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    preview(tmp_path, frozenset({"password-changed"}), None)
    page = Page((tmp_path / "index.html").read_text("utf-8"))
    sources = {each["src"] for each in page.attributes["iframe"]}
    assert {name for name in sources if not (tmp_path / str(name)).is_file()} == set()


def test_against_this_very_commit_nothing_differs_or_only_what_is_not_committed(tmp_path: Path) -> None:
    assert "differs" in preview(tmp_path, frozenset({"password-changed"}), "HEAD")


@pytest.mark.parametrize(
    ("notices", "against", "sentence"),
    [
        (frozenset({"no-such"}), None, "no notice is called no-such"),
        (frozenset(), "no-such-revision", "git knows no revision 'no-such-revision'"),
        (frozenset(), "--output=x", "a revision is a branch"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(
    tmp_path: Path, notices: frozenset[str], against: str | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        preview(tmp_path, notices, against)
