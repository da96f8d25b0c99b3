"""A brand is whole or refused; its colours can be read."""

from pathlib import Path

import pytest

from services.notifier.brands import BRANDS, Brand, BrandError, Help, Palette, load_brand, load_brands

CIGNA = (BRANDS / "cigna-healthcare" / "brand.toml").read_text(encoding="utf-8")


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


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("brand", load_brands().values(), ids=lambda brand: brand.id)
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [("ink", "card"), ("ink", "tint"), ("muted", "card"), ("muted", "page"), ("accent", "card"), ("accent", "tint"),
     ("on_accent", "accent")],
)  # fmt: skip
def test_text_stands_out_from_its_ground(brand: Brand, mode: str, text: str, ground: str) -> None:
    palette: Palette = getattr(brand.colours, mode)
    assert contrast(getattr(palette, text), getattr(palette, ground)) >= 4.5
