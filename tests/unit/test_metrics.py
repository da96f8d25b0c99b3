"""One vocabulary over all processes, and labels that are bounded: nothing an event brings can become a series."""

import pytest

from tests.support.exported import REGISTRIES, families

BOUNDED = {
    "lane": "the catalogue's, and canary",
    "channel": "email, sms, in-app",
    "state": "of a notification",
    "result": "of an attempt, or of an event that was heard",
    "decision": "of the plan",
    "notice": "the catalogue's",
    "topic": "of the contract",
    "type": "of the contract",
    "code": "of refusals and problems, ours",
    "publisher": "named in the publishers' file",
    "place": "broker, outbox",
    "status": "of HTTP",
    "page": "the console's routes, or why there is none",
    "within": "1d, 5d",
    "reason": "why a canary did not go well, or a provider's payload means nothing to us",
    "upstream": "named in the providers' file",
    "kind": "of provider",
    "fate": "of a provider's event",
    "what": "a timer said",
    "check": "of readiness",
    "version": "of the build",
    "python": "of the build",
}
PREFIXES = ("notifier_", "auth_events_", "complaint_sla_", "probe_", "console_", "member_notices_", "process_")


def labels() -> set[str]:
    return {
        label
        for registry in REGISTRIES
        for collector in list(registry._collector_to_names)
        for label in getattr(collector, "_labelnames", ())
    }


def test_every_label_is_one_whose_values_are_known() -> None:
    assert labels() <= BOUNDED.keys()


def test_no_label_is_listed_that_nothing_has() -> None:
    assert BOUNDED.keys() <= labels()


@pytest.mark.parametrize("name", sorted({family.name for family in families()}))
def test_a_name_says_whose_it_is(name: str) -> None:
    assert name.startswith(PREFIXES)


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_every_metric_says_what_it_counts(family: object) -> None:
    assert getattr(family, "documentation", "")


@pytest.mark.parametrize(
    "name", ["member_notices_build_info", "member_notices_loop_lag_seconds", "member_notices_ready"]
)
def test_every_process_tells_its_vitals(name: str) -> None:
    assert all(name in {family.name for family in registry.collect()} for registry in REGISTRIES)
