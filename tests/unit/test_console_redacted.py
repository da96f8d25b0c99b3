"""What people wrote is shown without what is private in it."""

import pytest

from services.console.redacted import said_by_people


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("the relay was away", "the relay was away"),
        ("she is grace@example.test, or so", "she is g•••@example.test, or so"),
        ("call +32 470 11 12 22 back", "call ••• back"),
        ("(0470/111.222)", "(•••)"),
        ("her code 246810 came late", "her code ••• came late"),
        ("see https://www.example.test/sign-in?t=Zq7 first", "see ••• first"),
        ("www.example.test/x", "•••"),
        ("was failed: smtp:550 after 3 attempts", "was failed: smtp:550 after 3 attempts"),
        ("identity.codes.v1/0/123456", "identity.codes.v1/0/123456"),
        ("night-shift", "night-shift"),
    ],
)
def test_addresses_links_and_long_numbers_are_not_shown(written: str, shown: str) -> None:
    assert said_by_people(written) == shown
