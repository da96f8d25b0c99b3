"""Event + contact + now → who gets what, where, in which language, until when."""

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.complaints import Letter
from schemas.envelope import Event, EventError, read_event
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE, NOTICES_OF_TYPE, SECURITY_LIFE
from services.notifier.plan import (
    NO_BRAND,
    Cancels,
    Notification,
    Plan,
    Planned,
    Refused,
    Rules,
    Skipped,
    Waiting,
    plan,
    plan_failure,
)
from tests.support.contract import EXAMPLES
from tests.support.letters import deadline_missed, letter_cancelled, letter_due, letter_to_post
from tests.support.notices import contact as example_contact
from tests.support.notifier import event_of

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
HOST = "www.cignahealthbenefits.com"
LINK = f"https://{HOST}/sign-in?t=abc"
PHONES = ("+32470000001", "+32470000002")
RULES = Rules(
    brands=load_brands(), deliverable=lambda _channel, _address: True, team_mailbox="complaints@insurer.example.test"
)
CONTACT = ContactV1(
    version=1,
    brand="cigna-healthcare",
    language="fr",
    login_email="login@example.test",
    communication_email="mail@example.test",
    phones=PHONES,
)


def code(at: datetime = T0, source: str = "urn:test:idp", **data: Any) -> Event[Data]:
    values: dict[str, Any] = {"channel": "email", "code": "246810", "url": LINK, "purpose": "sign-in"}
    values |= {"expires_at": at + 15 * MINUTE, **data}
    return event_of("identity.verification-code-issued.v1", "m-1", id="c-1", time=at, source=source, **values)


def text(phone: str, **data: Any) -> Event[Data]:
    return code(channel="sms", phone=phone, url=None, **data)


def changed(at: datetime = T0) -> Event[Data]:
    return event_of("identity.password-changed.v1", "m-1", id="p-1", time=at, changed_at=at)


def moved(**data: Any) -> Event[Data]:
    values = {"which": "login", "old": "old@example.test", "new": "new@example.test", "changed_at": T0, **data}
    return event_of("identity.email-address-changed.v1", "m-1", id="a-1", time=T0, **values)


def planned(
    event: Event[Data], contact: ContactV1 | None = CONTACT, *, now: datetime = T0, rules: Rules = RULES
) -> tuple[Notification, ...]:
    decision = plan(event, contact, now, rules)
    assert isinstance(decision, Planned), decision
    return decision.notifications


def only(event: Event[Data], contact: ContactV1 | None = CONTACT, **more: Any) -> Notification:
    (notification,) = planned(event, contact, **more)
    return notification


def refusal(decision: Plan) -> EventError:
    assert isinstance(decision, Refused), decision
    return decision.error


# --- to whom ----------------------------------------------------------------------------------------------------------


def test_security_goes_to_the_login_address() -> None:
    row = only(changed())
    assert (row.channel, row.role, row.address, row.lane) == ("email", "login", "login@example.test", "security")


@pytest.mark.parametrize(("phone", "role"), [(PHONES[0], "phone-1"), (PHONES[1], "phone-2")])
def test_a_code_by_sms_goes_to_the_registered_phone_the_event_names(phone: str, role: str) -> None:
    row = only(text(phone))
    assert (row.channel, row.role, row.address, row.state) == ("sms", role, phone, "accepted")


@pytest.mark.parametrize("phones", [(), PHONES[1:]])
def test_a_phone_that_is_not_registered_gets_nothing(phones: tuple[str, ...]) -> None:
    row = only(text(PHONES[0]), CONTACT.model_copy(update={"phones": phones}))
    assert (row.state, row.reason, row.role, row.address) == ("failed", "phone-not-registered", "named", None)


def test_a_code_by_mail_goes_to_the_login_address_only() -> None:
    row = only(code())
    assert (row.channel, row.role, row.address) == ("email", "login", "login@example.test")


def test_both_addresses_of_the_event_get_the_mail_whatever_the_contact_says() -> None:
    assert [(row.role, row.address, row.locale) for row in planned(moved())] == [
        ("old", "old@example.test", "fr"),
        ("new", "new@example.test", "fr"),
    ]


def test_an_event_with_its_own_recipients_needs_no_contact() -> None:
    rows = planned(moved(brand="cigna-healthcare", locale="fr"), None)
    assert [(row.address, row.brand, row.locale) for row in rows] == [
        ("old@example.test", "cigna-healthcare", "fr"),
        ("new@example.test", "cigna-healthcare", "fr"),
    ]


def test_an_event_that_names_addresses_but_no_brand_waits_for_the_contact() -> None:
    assert plan(moved(locale="fr"), None, T0, RULES) == Waiting(T0 + SECURITY_LIFE)


def test_the_contacts_brand_and_language_win_over_the_events() -> None:
    rows = planned(moved(brand="no-such-brand", locale="en"))
    assert {(row.brand, row.locale) for row in rows} == {("cigna-healthcare", "fr")}


# --- language and brand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "locale"), [("en", "en"), ("fr", "fr"), ("nl", "nl"), ("zz", "en")])
def test_a_language_the_brand_does_not_speak_becomes_its_default(language: str, locale: str) -> None:
    assert only(changed(), CONTACT.model_copy(update={"language": language})).locale == locale
    assert planned(moved(brand="cigna-healthcare", locale=language), None)[0].locale == locale


def test_without_a_locale_the_brand_speaks_its_default() -> None:
    assert {row.locale for row in planned(moved(brand="cigna-healthcare"), None)} == {"en"}


def test_each_brand_has_a_default_language_and_links_of_its_own() -> None:
    assert {row.locale for row in planned(moved(brand="cm"), None)} == {"nl"}
    assert refusal(plan(code(), CONTACT.model_copy(update={"brand": "cm"}), T0, RULES)).code == "link-not-allowed"


def test_a_brand_nobody_knows_is_refused_by_field_and_not_repeated() -> None:
    error = refusal(plan(moved(brand="zq7-brand"), None, T0, RULES))
    assert (error.code, error.field) == ("brand-unknown", "data.brand")
    assert "zq7-brand" not in error.reason


def test_a_brand_that_does_not_send_the_notice_skips_it() -> None:
    other = RULES.brands["cigna-healthcare"].model_copy(update={"id": "other"})
    rules = replace(RULES, brands={**RULES.brands, "other": other})
    assert plan(changed(), CONTACT.model_copy(update={"brand": "other"}), T0, rules) == Skipped("not-for-brand")


def test_a_known_event_without_a_notice_is_skipped_known_member_or_not() -> None:
    event = event_of("members.coverage-reinstated.v1", "m-1", id="w-1", time=T0, reinstated_on=T0.date())
    assert plan(event, CONTACT, T0, RULES) == plan(event, None, T0, RULES) == Skipped("no-notice")


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        LINK,
        f"https://{HOST}",
        f"https://{HOST}:443/x",
        f"https://{HOST.upper()}/x",
        f"https://{HOST}/x@y#z",
        f"https://{HOST}/?next=https://evil.example",
    ],
)
def test_a_link_to_the_brands_domain_is_allowed(url: str) -> None:
    assert only(code(url=url)).secrets["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/x",
        f"https://user@{HOST}/x",
        f"https://user:secret@{HOST}/x",
        f"https://{HOST}@evil.example/x",
        f"https://@{HOST}/x",
        f"https://{HOST}:8443/x",
        f"https://{HOST}:80/x",
        f"https://{HOST}:99999/x",
        f"https://{HOST}./x",
        f"https://evil.example/{HOST}",
        f"https://{HOST}.evil.example/x",
        f"https://evil{HOST}/x",
        "https://cignahealthbenefits.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://xn--cignahealthbenefits-abc.com/x",
        "https://xn--www-8cd.cignahealthbenefits.com/x",
        f"https:///{HOST}/x",
        f"https://evil.example#@{HOST}/x",
        f"https://evil.example?@{HOST}/x",
        f"https://evil.example%2f@{HOST}/x",
        f"https://{HOST}%00.evil.example/x",
        "https://[/x",
        "http://127.0.0.1:8025/x",
    ],
)
def test_any_other_link_is_refused_and_not_repeated(url: str) -> None:
    error = refusal(plan(code(url=url), CONTACT, T0, RULES))
    assert (error.code, error.field) == ("link-not-allowed", "data.url")
    assert "evil" not in error.reason
    assert "secret" not in error.reason


def test_an_international_domain_is_compared_as_punycode() -> None:
    brand = RULES.brands["cigna-healthcare"]
    links = brand.links.model_copy(update={"domains": ("xn--bcher-kva.example",)})
    rules = replace(RULES, brands={brand.id: brand.model_copy(update={"links": links})})
    assert only(code(url="https://xn--bcher-kva.example/x"), rules=rules).state == "accepted"
    event = code()
    unicode = event.data.model_copy(update={"url": "https://bücher.example/x"})
    assert refusal(plan(replace(event, data=unicode), CONTACT, T0, rules)).code == "link-not-allowed"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8025/x", True),
        ("http://127.0.0.1:8026/x", False),
        ("http://127.0.0.1/x", False),
        ("https://127.0.0.1:8025/x", False),
        ("http://user@127.0.0.1:8025/x", False),
        ("http://127.0.0.1:8025@evil.example/x", False),
        ("http://127.0.0.1:8025.evil.example/x", False),
        (LINK, True),
    ],
)
def test_a_setting_may_add_one_loopback_origin(url: str, *, allowed: bool) -> None:
    rules = replace(RULES, loopback_origin="http://127.0.0.1:8025")
    assert isinstance(plan(code(url=url), CONTACT, T0, rules), Planned) is allowed


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "state", "reason"),
    [
        (15 * MINUTE, "accepted", None),
        (MINUTE + SECOND, "accepted", None),
        (MINUTE, "expired", "late"),
        (59 * SECOND, "expired", "late"),
        (timedelta(0), "expired", "late"),
        (-MINUTE, "expired", "late"),
    ],
)
def test_a_code_with_a_minute_or_less_left_is_born_expired(left: timedelta, state: str, reason: str | None) -> None:
    row = only(code(expires_at=T0 + left))
    assert (row.state, row.reason) == (state, reason)
    assert (row.expires_at, row.hand_over_by) == (T0 + left, T0 + left - MINUTE)


@pytest.mark.parametrize(
    ("age", "state"),
    [(timedelta(0), "accepted"), (SECURITY_LIFE - SECOND, "accepted"), (SECURITY_LIFE, "expired")],
)
def test_a_security_notice_lives_72_hours_from_its_event(age: timedelta, state: str) -> None:
    row = only(changed(T0 - age))
    assert (row.state, row.expires_at, row.hand_over_by) == (state, T0 - age + SECURITY_LIFE, T0 - age + SECURITY_LIFE)


def test_an_event_of_an_unknown_member_waits_until_its_notice_would_be_too_old() -> None:
    assert plan(changed(), None, T0, RULES) == Waiting(T0 + SECURITY_LIFE)
    assert plan(code(), None, T0, RULES) == Waiting(T0 + 15 * MINUTE)


@pytest.mark.parametrize("event", [changed(), code(), text(PHONES[0])], ids=["security", "mail", "sms"])
def test_an_address_the_deployment_may_not_send_to_is_suppressed(event: Event[Data]) -> None:
    asked: list[tuple[str, str]] = []

    def never(channel: str, address: str) -> bool:
        asked.append((channel, address))
        return False

    row = only(event, rules=replace(RULES, deliverable=never))
    assert (row.state, row.reason) == ("suppressed", "not-live")
    assert asked == [(row.channel, row.address)]


# --- what stands in the row -------------------------------------------------------------------------------------------


def test_secrets_stand_apart_from_facts() -> None:
    row = only(code())
    assert row.secrets == {"code": "246810", "url": LINK}
    assert "246810" not in str(row.facts)
    assert LINK not in str(row.facts)
    assert row.facts["role"] == "login"


def test_codes_of_one_purpose_are_a_group_and_security_notices_are_none() -> None:
    by_mail, by_text, other = only(code()), only(text(PHONES[0])), only(code(purpose="enrolment"))
    assert by_mail.supersede_group == by_text.supersede_group != other.supersede_group
    assert only(changed()).supersede_group is None


addresses = st.from_regex(r"[a-z]{1,20}@[a-z]{1,20}\.test", fullmatch=True)


@given(addresses, addresses, st.sampled_from(["en", "fr", "nl"]), st.timedeltas(timedelta(0), timedelta(days=100)))
def test_the_id_depends_on_the_event_notice_channel_and_role_alone(
    one: str, other: str, language: str, later: timedelta
) -> None:
    update = {"login_email": other, "language": language, "version": 9}
    before = only(changed(), CONTACT.model_copy(update={"login_email": one}))
    after = only(changed(), CONTACT.model_copy(update=update), now=T0 + later)
    assert before.id == after.id


def test_ids_differ_by_source_id_day_channel_and_role() -> None:
    rows = [
        only(code()),
        only(code(source="urn:test:other")),
        only(code(T0 + timedelta(days=1))),
        only(replace(code(), id="c-2")),
        only(text(PHONES[0])),
        only(text(PHONES[1])),
        *planned(moved()),
        only(changed()),
    ]
    assert len({row.id for row in rows}) == len(rows)


@pytest.mark.parametrize("file", [name for name in EXAMPLES if f"{name.split('.v1')[0]}.v1" in NOTICES_OF_TYPE])
def test_every_committed_example_can_be_planned(file: str) -> None:
    event = read_event(EXAMPLES[file])
    letter = getattr(event.data, "letter", None)
    notices = [notice for notice in CATALOGUE if notice.on == event.type and notice.letter in {None, letter}]
    brand = min(notices[0].brands)  # whose link the example names, where it names one
    rows = planned(event, example_contact().model_copy(update={"brand": brand}), now=event.time)
    assert {row.notice for row in rows} == {notice.name for notice in notices}
    assert "accepted" in {row.state for row in rows} or {row.reason for row in rows} == {"no-address"}


# --- complaints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", get_args(get_args(Letter)[0]))
def test_a_letter_goes_to_the_complainant_of_its_event_and_to_no_contact(letter: str) -> None:
    (row,) = planned(letter_due("c-1", letter, T0, limit_at=T0 + DAY), CONTACT)
    assert (row.role, row.address, row.locale, row.lane) == ("complainant", "c-1@example.test", "en", "letters")
    assert (row.letter, row.limit_at, row.expires_at, row.hand_over_by) == (letter, T0 + DAY, None, None)


def test_each_letter_is_a_notice_of_its_own() -> None:
    letters = get_args(get_args(Letter)[0])
    assert len({only(letter_due("c-1", letter, T0), None).notice for letter in letters}) == len(letters) == 8


@pytest.mark.parametrize(("language", "locale"), [("fr", "fr"), ("nl", "en")])
def test_a_letter_speaks_the_complainants_language_and_its_handler_the_brands(language: str, locale: str) -> None:
    whose = {"name": "A", "locale": language, "channel": "email", "email": "a@example.test"}
    text = {"en": "Our decision.", "fr": "Notre décision."}
    assert only(letter_due("c-1", "final", T0, complainant=whose, text=text), None).locale == locale
    assert only(letter_to_post("c-1", "final", T0, complainant=whose, text=text), None).locale == "en"


def test_a_complainant_without_an_address_is_not_forgotten_in_silence() -> None:
    whose = {"name": "A", "locale": "en", "channel": "post"}
    row = only(letter_due("c-1", "final", T0, complainant=whose), None)
    assert (row.state, row.reason, row.role, row.address) == ("failed", "no-address", "complainant", None)


@pytest.mark.parametrize(
    ("handler", "team", "told"),
    [
        ({"email": "h@example.test"}, "team@example.test", ("handler", "h@example.test", "accepted", None)),
        (None, "team@example.test", ("team", "team@example.test", "accepted", None)),
        (None, None, ("team", None, "failed", "no-handler")),
    ],
    ids=["handler", "team", "nobody"],
)
def test_the_handler_is_told_or_else_the_team(
    handler: dict[str, str] | None, team: str | None, told: tuple[str | None, ...]
) -> None:
    row = only(
        deadline_missed("c-1", T0, handler=handler, tell_at=T0 + DAY), None, rules=replace(RULES, team_mailbox=team)
    )
    assert (row.role, row.address, row.state, row.reason) == told
    assert (row.not_before, row.letter, row.cancelled_from) == (T0 + DAY, None, None)


@pytest.mark.parametrize(
    ("letter", "cancelled_from"),
    [("acknowledgement", 2), ("holding", 3), ("explanation", 4), ("summary", 5), ("final", 5),
     ("information-request", 4), ("not-covered", 4), ("forwarded", 4)],
)  # fmt: skip
def test_a_letter_gives_way_to_higher_ranks_and_one_without_to_the_highest(letter: str, cancelled_from: int) -> None:
    assert only(letter_due("c-1", letter, T0), None).cancelled_from == cancelled_from


def test_a_cancellation_is_an_act_and_no_message() -> None:
    letter = letter_due("c-1", "final", T0)
    decision = plan(letter_cancelled(letter, T0), None, T0, RULES)
    assert isinstance(decision, Cancels)
    assert (decision.cause.source, decision.cause.id, decision.why) == (letter.source, letter.id, "withdrawn")


# --- the end of waiting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (changed(), [("email", "login")]),
        (code(), [("email", "login")]),
        (text(PHONES[0]), [("sms", "named")]),
        (moved(), [("email", "old"), ("email", "new")]),
    ],
    ids=["security", "mail", "sms", "both-addresses"],
)
def test_an_event_that_waited_in_vain_fails_for_each_it_was_meant_for(
    event: Event[Data], told: list[tuple[str, str]]
) -> None:
    rows = plan_failure(event, "no-contact").notifications
    assert [(row.channel, row.role) for row in rows] == told
    assert {(row.state, row.reason, row.address) for row in rows} == {("failed", "no-contact", None)}
    assert {(row.brand, row.locale) for row in rows} == {(NO_BRAND, NO_BRAND)}


def test_planning_changes_nothing_it_was_given() -> None:
    event, before = code(), dataclasses.astuple(code())
    assert planned(event) == planned(event)
    assert dataclasses.astuple(event) == before
