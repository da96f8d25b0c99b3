"""What may be said: cleaned, masked, JSON, and secrets apart."""

import json
import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import identity, members
from schemas.envelope import read_event
from schemas.topics import DATA_OF_TYPE
from services.notifier.facts import DISPLAY_LIMIT, clean, fact_names, facts_of, last_digits, mask_address
from tests.support.contract import EXAMPLES

AT = datetime(2026, 11, 22, 12, 46, tzinfo=UTC)
# Independent of the code under test: what mail clients are known to link.
LINKED = re.compile(
    r"[a-z][a-z0-9+.-]*:/+\S"  # a scheme with slashes
    r"|\b(?:mailto|tel|sms|javascript|data):\S"
    r"|\S@\S"  # an address
    r"|[^\W_][.\u3002\uff0e\uff61][^\W\d_]{2}",  # a domain
    re.IGNORECASE,
)


def contact(**changes: object) -> members.ContactV1:
    return members.ContactV1.model_validate(
        {"version": 1, "brand": "b", "language": "en", "login_email": "jane@example.com", **changes}
    )


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Jane Doe", "Jane Doe"),
        ("  Jane \t\r\n  Doe ", "Jane Doe"),
        ("Jane\u202eeoD", "JaneeoD"),
        ("Jane\x00\x1b[31m Doe", "Jane[31m Doe"),
        ("Safari 26.1", "Safari 26.1"),
        ("Antwerp, Belgium", "Antwerp, Belgium"),
        ("Zoë-Anne Jr.", "Zoë-Anne Jr."),
        ("St. Gallen", "St. Gallen"),
        ("at 12:30", "at 12:30"),
        ("evil.example", "evil. example"),
        ("www.evil.example/login", "www. evil. example/login"),
        ("https://evil.example/x", "https: //evil. example/x"),
        ("http://10.0.0.1/x", "http: //10. 0. 0. 1/x"),
        ("me@evil.example", "me @ evil. example"),
        ("mailto:me", "mailto: me"),
        ("evil\u3002example", "evil. example"),
        ("evil\uff0eexample", "evil. example"),
        ("evil\u2024example", "evil. example"),
        ("me\uff20evil", "me @ evil"),
        ("Ⅷ … ﬁn", "Ⅷ … ﬁn"),
        ("ev\u200bil.example", "evil. example"),
        ("evil.\u200dexample", "evil. example"),
        ("می\u200cرم", "می\u200cرم"),
        ("王小明", "王小明"),
        ("{{ 7*7 }}<script>alert(1)</script>\r\nBcc: x@y.example",
         "{{ 7*7 }}<script>alert(1)</script> Bcc: x @ y. example"),
    ],
)  # fmt: skip
def test_text_from_outside_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@settings(deadline=None)
@given(st.text(max_size=300))
def test_cleaned_text_is_one_short_line_without_control_or_bidi_characters(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= DISPLAY_LIMIT
    assert cleaned == " ".join(cleaned.split())
    assert {char for char in cleaned if unicodedata.category(char) in {"Cc", "Cs", "Co", "Zl", "Zp"}} == set()
    assert {char for char in cleaned if unicodedata.category(char) == "Cf"} <= {"\u200c", "\u200d"}


LINK_PIECES = st.sampled_from(
    [*"aZ9é王./:@ -", "https://", "www.", ".com", "mailto:", "\u200b", "\u200d", "\u3002", "\uff0e", "\u2024", "ﬁ"]
)


@settings(deadline=None)
@given(st.lists(LINK_PIECES, max_size=40).map("".join))
def test_nothing_in_cleaned_text_becomes_a_link(text: str) -> None:
    assert LINKED.search(clean(text)) is None


@settings(deadline=None)
@given(st.lists(LINK_PIECES, max_size=60).map("".join) | st.text(max_size=200) | st.just("long… " * 50))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_a_long_text_is_shortened() -> None:
    assert clean("x" * 500) == "x" * (DISPLAY_LIMIT - 1) + "…"


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("joanna@mail.example.com", "jo•••@m•••.com"),
        ("jo@example.be", "j•••@e•••.be"),
        ("c.laurent@example.test", "c•••@e•••.test"),
    ],
)
def test_an_address_is_masked(address: str, masked: str) -> None:
    assert mask_address(address) == masked


def test_a_masked_address_is_no_link() -> None:
    assert re.search(r"[^\W_][.][^\W\d_]{2}|\w@\w+[.]", mask_address("joanna@mail.example.com")) is None


def test_a_phone_shows_two_digits() -> None:
    assert last_digits("+447700900123") == "23"


REGISTER_NUMBERS = [
    "85.07.30-033.28",
    "85073003328",
    "850730-033-28",
    "850730 033 28",
    "85/07/30 - 033/28",
    "85 07 30 033 28",
    "85\u00a007\u00a030\u00a0033\u00a028",
    "85.07.30\u2011033.28",
    "85\u200b07\u200b30\u200b033\u200b28",
    "\uff18\uff15.\uff10\uff17.\uff13\uff10-\uff10\uff13\uff13.\uff12\uff18",
    "00_47_01-001_12",
]


@pytest.mark.parametrize("number", REGISTER_NUMBERS)
@pytest.mark.parametrize("text", ["{}", "Noor Peeters ({})", "NISS:{}", "INSZ {}.", "x" * 108 + " {}"])
def test_what_looks_like_a_register_number_is_never_shown(text: str, number: str) -> None:
    written = text.format(number)
    facts = facts_of(members.BenefitApplicationReceivedV1(benefit=written, for_whom=written, received_at=AT), None)
    for name in ("benefit", "for_whom"):
        shown = unicodedata.normalize("NFKC", str(facts.public[name]))
        assert re.search(r"\d", shown) is None
        assert "•" in shown


@pytest.mark.parametrize(
    "text",
    ["Chrome 145 on Windows 11", "145 0 7339 128", "2 x 1 250", "123456789012", "BE68 5390 0754 7034", "22 11 2026"],
)
def test_another_number_is_shown_as_it_is(text: str) -> None:
    facts = facts_of(members.BenefitApplicationReceivedV1(benefit=text, for_whom="Noor", received_at=AT), None)
    assert facts.public["benefit"] == text


def test_times_stay_utc_text_and_absent_fields_are_none() -> None:
    data = identity.NewSignOnDetectedV1(signed_on_at=AT, browser="Firefox")
    assert facts_of(data, contact(name="Jane\u202e Doe")).public == {
        "signed_on_at": "2026-11-22T12:46:00Z",
        "browser": "Firefox",
        "system": None,
        "place": None,
        "name": "Jane Doe",
        "time_zone": "Europe/Brussels",
        "has_card": False,
        "personal_reference_number": None,
    }


def test_a_date_stays_a_date() -> None:
    data = members.CoverageEndedV1.model_validate({"ended_on": "2026-12-31"})
    assert facts_of(data, None).public["ended_on"] == "2026-12-31"


def test_secrets_are_kept_apart_and_phones_masked() -> None:
    data = identity.VerificationCodeIssuedV1(
        channel="sms", phone="+447700900123", code="123456", purpose="sign-in", expires_at=AT
    )
    facts = facts_of(data, None)
    assert facts.secrets == {"code": "123456"}
    assert facts.public.keys() & {"code", "url"} == set()
    assert facts.public["phone"] == "23"


def test_addresses_of_the_event_are_masked_and_its_routing_is_no_fact() -> None:
    data = identity.EmailAddressChangedV1(
        which="only", old="joanna@example.com", new="anna@example.org", changed_at=AT, brand="cm", locale="nl"
    )
    public = facts_of(data, None).public
    assert (public["old"], public["new"]) == ("jo•••@e•••.com", "an•••@e•••.org")
    assert public.keys() & {"brand", "locale"} == set()


def test_without_a_contact_times_are_utc() -> None:
    facts = facts_of(identity.PasswordChangedV1(changed_at=AT), None)
    assert (facts.public["time_zone"], facts.public["name"]) == ("UTC", None)


@pytest.mark.parametrize(
    "file", [name for name in EXAMPLES if name.startswith(("identity.", "members.")) and ".contact." not in name]
)
def test_every_example_of_an_event_gives_json_facts_under_the_names_that_are_known(file: str) -> None:
    event = read_event(EXAMPLES[file])
    facts = facts_of(event.data, contact())
    assert json.loads(json.dumps(facts.public)) == facts.public
    assert facts.public.keys() | facts.secrets.keys() <= fact_names(DATA_OF_TYPE[event.type])
