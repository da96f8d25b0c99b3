"""What of a refused record may be seen: nothing that the contract does not know as harmless."""

import json

import pytest

from services.notifier.redaction import headers_of, key_of, redacted, value_of

PRIVATE = ("864209", "A7K2Q9", "https://evil.example/reset?t=Zq7", "anna@example.test", "+32470111222", "32470111222",
           "Anna Peeters", "2026-11-22 call +32470111222", "x\x1b[2Jy")  # fmt: skip
EVENT = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "urn:test:idp",
    "type": "identity.verification-code-issued.v1",
    "subject": "m-1",
    "time": "2026-11-22T12:00:00Z",
    "data": {
        "channel": "email",
        "code": "A7K2Q9",
        "url": "https://evil.example/reset?t=Zq7",
        "purpose": "sign-in",
        "expires_at": "2026-11-22T12:15:00Z",
    },
}


def test_what_helps_is_shown_and_the_rest_is_a_length() -> None:
    assert redacted(EVENT) == EVENT | {
        "data": {
            "channel": "email",
            "code": "••• (6 characters)",
            "url": "••• (32 characters)",
            "purpose": "sign-in",
            "expires_at": "2026-11-22T12:15:00Z",
        }
    }


@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize(
    "field", ["code", "url", "email", "login_email", "phone", "phones", "name", "place", "anything"]
)
def test_a_private_value_is_never_shown_in_a_field_of_data(field: str, private: str) -> None:
    for value in (private, [private], {"x": private}, {private: 1}):
        assert private not in value_of(json.dumps({**EVENT, "data": {field: value}}).encode())


@pytest.mark.parametrize("private", [each for each in PRIVATE if each != "A7K2Q9"])
@pytest.mark.parametrize("attribute", [*EVENT, "purpose", "channel", "changed_at", "version", "extension"])
def test_nor_where_an_attribute_or_a_word_belongs(attribute: str, private: str) -> None:
    """A code of letters and digits in `id` cannot be told from an id: a publisher who does that is lost."""
    document = json.dumps({**EVENT, attribute: private, "data": {attribute: private}})
    assert private not in value_of(document.encode())
    assert private not in json.dumps(headers_of([(f"ce_{attribute}", private.encode()), (private, b"x")]))
    assert private not in key_of(private.encode())


def test_a_number_may_be_a_code_or_a_phone() -> None:
    assert redacted({"code": 864209, "phone": 32470111222, "version": 3, "has_card": True, "data": None}) == {
        "code": "••• (number)", "phone": "••• (number)", "version": 3, "has_card": True, "data": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [b"not json 864209", b"\xff\xfe", b"", b"[" * 100_000, b'{"a":1', '"\ud800"'.encode("utf-8", "surrogatepass")],
)
def test_what_is_not_json_is_a_number_of_bytes(value: bytes) -> None:
    assert value_of(value) == f"••• ({len(value)} bytes that are not JSON)"


def test_a_flood_of_items_and_levels_is_cut() -> None:
    deep: object = "x"
    for _ in range(50):
        deep = {"data": deep}
    assert len(value_of(json.dumps({"data": [deep] * 1000, "id": list(range(1000))}).encode())) < 20_000


def test_headers_show_null_and_count_what_is_not_ours() -> None:
    assert headers_of(
        [("content-type", b"application/cloudevents+json; charset=UTF-8"), ("ce_id", None), ("CE_TYPE", b"\xff"),
         ("x-anna@example.test", b"864209"), ("traceparent", b"00-aa")]
    ) == [
        "content-type: application/cloudevents+json; charset=UTF-8",
        "ce_id: null",
        "ce_type: ••• (1 bytes)",
        "and 2 that are not CloudEvents'",
    ]  # fmt: skip


def test_a_key_is_shown_where_it_is_opaque() -> None:
    assert [key_of(key) for key in (b"m-17", None, b"anna@example.test", b"\xff", b"")] == [
        "m-17",
        "null",
        "••• (17 bytes)",
        "••• (1 bytes)",
        "••• (0 bytes)",
    ]
