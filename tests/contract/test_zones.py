"""A letter dates by the zone in which its deadline was counted."""

from services.notifier.letters import ZONES
from tests.support.complaints import rulebook


def test_the_notifier_knows_the_zone_of_every_licence() -> None:
    assert {name: licence.zone for name, licence in rulebook().licences.items()} == ZONES
