"""A brand is whole or refused; its colours can be read."""

from pathlib import Path

import pytest

from services.notifier.brands import BRANDS, BrandError, Help, load_brand, load_brands

CIGNA = (BRANDS / "cigna-healthcare" / "brand.toml").read_text(encoding="utf-8")

PREFERENCES = "communication_preferences = "


def written(folder: Path, text: str) -> Path:
    (folder / "acme").mkdir()
    (folder / "acme" / "brand.toml").write_text(text, encoding="utf-8")
    return folder / "acme"


def test_the_shipped_brand_holds_the_facts_that_were_given() -> None:
    brand = load_brands()["cigna-healthcare"]
    assert brand.help.phone == "+32 3 217 68 68"
    assert brand.links.domains == ("www.cignahealthbenefits.com",)
    assert brand.sign_on.browser_trust_days == 90
    assert brand.help.missing_mail_minutes == 30
    assert brand.sample


def test_the_second_brand_says_no_more_than_was_given() -> None:
    brand = load_brands()["cm"]
    assert (brand.name, brand.links.portal, brand.default_language) == ("CM", "My CM", "nl")
    assert brand.languages == ("nl", "fr", "de", "en")
    assert [brand.links.portal_address, brand.imprint, brand.sign_on.browser_trust_days] == [None, None, None]
    assert brand.help == Help()
    assert brand.links.communication_preferences == "https://my.cm.example.test/communication-preferences"
    assert brand.sample


def test_a_fact_on_which_sources_disagree_is_a_doubt_to_show() -> None:
    (doubt,) = load_brands()["cigna-healthcare"].doubts
    assert "@cigna.com" in doubt


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "Cigna Healthcare"\nsample', "sample", "acme/brand.toml: name: Field required"),
        ("sample = true", 'sample = true\nlogo = "x"', "acme/brand.toml: logo: Extra inputs are not permitted"),
        ("[help]", '[help]\nfax = "1"', "acme/brand.toml: help.fax: Extra inputs are not permitted"),
        ('page = "#f3f0f5"', 'page = "white"', "acme/brand.toml: colours.light.page: String should match pattern"),
        ('default_language = "en"', 'default_language = "it"', "default_language is one of languages"),
        ('portal_host = "www.', 'portal_host = "my.', "acme/brand.toml: links: portal_host is one of domains"),
        (
            "[help]",
            f'{PREFERENCES}"https://my.example.test/me"\n[help]',
            "communication_preferences is on one of domains",
        ),
        (
            "[help]",
            f'{PREFERENCES}"http://www.cignahealthbenefits.com/me"\n[help]',
            "links.communication_preferences: ",
        ),
        ('alternative = "cigna.com"\n', "", "an alternative comes with a note"),
        ("[links]", "[links", "acme/brand.toml: not TOML"),
    ],
)
def test_a_wrong_brand_is_refused_by_file_field_and_rule(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in CIGNA
    with pytest.raises(BrandError) as caught:
        load_brand(written(tmp_path, CIGNA.replace(old, new, 1)))
    assert problem in str(caught.value)


def test_every_problem_of_every_brand_is_told_at_once(tmp_path: Path) -> None:
    written(tmp_path, CIGNA.replace('name = "Cigna Healthcare"\nsample', 'colour = "red"\nsample', 1))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BrandError) as caught:
        load_brands(tmp_path)
    assert [problem.rpartition(": ")[0] for problem in caught.value.problems] == [
        "acme/brand.toml: name",
        "acme/brand.toml: colour",
        "empty/brand.toml",
    ]
