"""The contract of every message: each notice in each language of each brand, from every committed example, filled with
long, foreign and hostile texts, without anything optional, and with every choice that the contract of events names."""

from collections import defaultdict
from functools import cache

import pytest

from schemas.envelope import read_event
from services.notifier.brands import Help, SignOn, load_brands
from services.notifier.samples import documents_of, sample_contact
from tests.support.message_rules import RULES, changes_more_than_itself
from tests.support.messages import NOTICES, Message, loaded_from, messages, ours
from tests.support.strange_data import Filled, committed, fillings

CODE, FINAL = NOTICES["one-time-verification-code"], NOTICES["complaint-final-decision"]
FROM_OUTSIDE = "a_text_from_outside_changes_nothing_but_itself"


@cache
def violations(notice: str) -> dict[str, list[str]]:
    """Rule → what is against it. Each message is rendered once for all rules, and not kept."""
    found: dict[str, list[str]] = defaultdict(list)
    marked: dict[str, Message] = {}
    brands = load_brands()
    for filled in fillings(NOTICES[notice]):
        for message in messages(ours(), brands, NOTICES[notice], filled):
            for name, rule in RULES.items():
                found[name] += [f"{message.name}: {wrong}" for wrong in rule(message)]
            if filled.how == "marker":
                marked[message.sample.id] = message
            elif filled.strange:
                wrongs = changes_more_than_itself(message, marked[message.sample.id])
                found[FROM_OUTSIDE] += [f"{message.name}: {wrong}" for wrong in wrongs]
    return found


@pytest.mark.parametrize("rule", [*RULES, FROM_OUTSIDE])
@pytest.mark.parametrize("notice", NOTICES)
def test_every_message_of_a_notice_keeps_every_rule(notice: str, rule: str) -> None:
    assert violations(notice)[rule][:10] == []


def test_a_brand_that_gave_nothing_optional_leaves_no_gap() -> None:
    """In the notices that say most of their brand; the shared texts are in all of them."""
    brands = load_brands()
    told = brands["cigna-healthcare"]
    portal = told.links.model_copy(update={"portal": "My Portal", "portal_address": None})
    bare = {"imprint": None, "help": Help(), "sign_on": SignOn(), "links": portal}
    brands["cigna-healthcare"] = told.model_copy(update=bare)
    notices = ("one-time-verification-code", "new-sign-on", "account-locked", "welcome", "complaint-acknowledged")
    silent = loaded_from(notices, brands=brands)
    rules = [rule for name, rule in RULES.items() if name != "every_fact_is_said"]
    found = [
        f"{notice} {message.name}: {wrong}"
        for notice in notices
        for filled in fillings(NOTICES[notice])
        if not filled.strange
        for message in messages(silent, brands, NOTICES[notice], filled)
        for rule in rules
        for wrong in rule(message)
    ]
    assert found == []


def test_the_longest_letter_is_not_cut_off() -> None:
    """20 000 characters of decision and as many of prescribed wording are what the contract of events allows."""
    (document,) = (each for name, each in documents_of(FINAL).items() if name == "final-with-prescribed-wording")
    words = "Nous avons examiné votre plainte et l\u2019évaluation du médecin, à la lumière du contrat. "
    texts = {"fr": (words * 300)[:20_000].strip()}
    event = read_event({**document, "data": {**document["data"], "text": texts, "prescribed": texts}})
    filled = Filled(example="final-with-prescribed-wording", how="longest", event=event, contact=sample_contact())
    for message in messages(ours(), load_brands(), FINAL, filled):
        assert message.email is not None
        assert len(message.email.html) > 40_000
        assert list(RULES["html_is_small"](message)) == []


@pytest.mark.parametrize(
    "name", ["Zorg\u2019n \u201eZeker\u201c \u2013 NV", "Santé\u00a0Prévoyance Forêt", "Œuvre Noël"]
)
def test_the_typography_of_a_brand_costs_no_second_sms(name: str) -> None:
    brands = {id_: brand.model_copy(update={"name": name}) for id_, brand in load_brands().items()}
    loaded = loaded_from([CODE.name], brands=brands)
    texts = [each for filled in committed(CODE) for each in messages(loaded, brands, CODE, filled) if each.sms]
    assert {each.sample.locale for each in texts} == {"en", "fr", "nl", "de"}
    assert [wrong for each in texts for wrong in RULES["sms_is_cheap_and_fills_in_the_code"](each)] == []
