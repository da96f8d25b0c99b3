"""What can be known of the embedded broker without starting it."""

from demo.embedded.kafka import new_cluster_id


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    # One in 64 random ids would start with a dash, and Kafka's tool would refuse to format.
    assert not [each for each in (new_cluster_id() for _ in range(2000)) if each.startswith("-") or len(each) != 22]
