"""A group stands still when it has records to read and commits none: not when it has none, nor when it moves."""

from services.console.standstill import Standstill


def test_what_is_behind_and_commits_nothing_stands_since_it_was_first_seen_so() -> None:
    standstill = Standstill()
    assert [standstill.seconds("g", "t", {0: 5}, 2, at) for at in (10.0, 40.0, 100.0)] == [0.0, 30.0, 90.0]


def test_what_moves_does_not_stand_however_far_it_is_behind() -> None:
    standstill = Standstill()
    assert [standstill.seconds("g", "t", {0: at}, 1000, float(at)) for at in (10, 100, 200)] == [0.0, 0.0, 0.0]


def test_what_has_read_all_does_not_stand_and_begins_anew() -> None:
    standstill = Standstill()
    looks = [(2, 10.0), (0, 100.0), (1, 200.0), (1, 230.0)]
    assert [standstill.seconds("g", "t", {0: 5}, behind, at) for behind, at in looks] == [0.0, 0.0, 0.0, 30.0]


def test_each_group_on_each_topic_stands_by_itself() -> None:
    standstill = Standstill()
    standstill.seconds("g", "t", {0: 5}, 1, 0.0)
    assert standstill.seconds("g", "u", {0: 5}, 1, 50.0) == 0.0
    assert standstill.seconds("h", "t", {0: 5}, 1, 50.0) == 0.0
    assert standstill.seconds("g", "t", {0: 5}, 1, 50.0) == 50.0
