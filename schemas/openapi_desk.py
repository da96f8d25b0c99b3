"""OpenAPI 3.1 of what complaint_sla answers to the service desk."""

from typing import Any

from schemas.openapi_document import JSON, PROBLEM

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_OR_NONE = {"type": ["string", "null"]}
_FLAG = {"type": "boolean"}


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "complaint-sla",
            "version": "1",
            "description": "What a complaint is owed, by when, and why. Addresses are masked, letters' texts not told.",
        },
        "paths": {
            "/v1/complaints": {"get": _due()},
            "/v1/complaints/{id}": {"get": _one()},
        },
        "components": {
            "securitySchemes": {
                "desk": {"type": "http", "scheme": "bearer", "description": "A token of SERVICE_DESK_TOKEN_SHA256."}
            },
            "schemas": {
                "Problem": _problem(),
                "Due": _object(obligations=_list(_ref("DueObligation")), more=_FLAG),
                "DueObligation": _object(
                    complaint=_TEXT, obligation=_TEXT, licence=_TEXT, state=_TEXT, limit_at=_TIME, limit_local=_TIME,
                    in_words=_TEXT,
                ),
                "Complaint": _complaint(),
                "Obligation": _obligation(),
                "Letter": _letter(),
                "Step": _object(
                    at=_TIME, heard=_FLAG, type=_TEXT, source=_TEXT, id=_TEXT, time=_TIME, in_words=_TEXT,
                    published=_FLAG,
                ),
            },
        },
    }  # fmt: skip


def _due() -> dict[str, Any]:
    return {
        "summary": "Obligations that are due before an instant, the nearest limit first.",
        "security": [{"desk": []}],
        "parameters": [
            {"name": "due_before", "in": "query", "required": True, "schema": _TIME},
            {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500}},
        ],
        "responses": {"200": _found({JSON: {"schema": _ref("Due")}}), **_problems("400", "401", "404", "503")},
    }  # fmt: skip


def _one() -> dict[str, Any]:
    id_ = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._~:\-]{0,63}$"}
    return {
        "summary": "One complaint: each deadline with its explanation, letters, and what has happened.",
        "security": [{"desk": []}],
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": id_},
            {"name": "as", "in": "query", "description": "Else `Accept`.", "schema": {"enum": ["json", "picture"]}},
        ],
        "responses": {
            "200": _found({JSON: {"schema": _ref("Complaint")}, "image/svg+xml": {"schema": _TEXT}}),
            **_problems("400", "401", "404", "500", "503"),
        },
    }  # fmt: skip


def _found(content: dict[str, Any]) -> dict[str, Any]:
    return {"description": "Found; for nobody in between to keep.", "content": content}


def _problems(*statuses: str) -> dict[str, Any]:
    content = {PROBLEM: {"schema": _ref("Problem")}}
    return {status: {"description": _WHY[status], "content": content} for status in statuses}


_WHY = {
    "400": "A parameter that is unknown, missing, given twice or not usable.",
    "401": "Not a token of the service desk's.",
    "404": "Unknown complaint; or the route is off, for no token is known.",
    "500": "What is known of the complaint cannot be opened: its key is gone.",
    "503": "The database cannot be reached: again, in a minute.",
}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(absent: tuple[str, ...] = (), /, **properties: dict[str, Any]) -> dict[str, Any]:
    """`absent`: those that may be."""
    required = [name for name in properties if name not in absent]
    return {"type": "object", "properties": properties, "required": required}


def _complaint() -> dict[str, Any]:
    """Some is known of a registered complaint only."""
    return _object(
        ("category", "brand", "zone", "received_local", "complainant", "handler"),
        complaint=_TEXT,
        as_of=_TIME,
        state={"enum": ["unregistered", "open", "closed"]},
        in_words=_TEXT,
        first_heard_at=_TIME,
        licence=_OR_NONE,
        received_at=_OR_NONE,
        category=_OR_NONE,
        brand=_OR_NONE,
        zone=_TEXT,
        received_local=_TIME,
        complainant=_object(channel=_TEXT, language=_OR_NONE, email=_OR_NONE, has_postal_address=_FLAG),
        handler=_OR_NONE,
        closed_at=_OR_NONE,
        how=_OR_NONE,
        letters_wait=_FLAG,
        released=_list(_TEXT),
        refused=_list({}),
        stuck_since=_OR_NONE,
        next={"anyOf": [_object(at=_TIME, what=_TEXT), {"type": "null"}]},
        waits_for_a_person=_list(_TEXT),
        obligations=_list(_ref("Obligation")),
        letters=_list(_ref("Letter")),
        story=_list(_ref("Step")),
    )


def _obligation() -> dict[str, Any]:
    return _object(
        obligation=_TEXT,
        state=_TEXT,
        in_words=_TEXT,
        limit_at=_TIME,
        limit_local=_TIME,
        limit_in_words=_TEXT,
        send_by={"type": "string", "format": "date"},
        optional=_FLAG,
        met_at=_OR_NONE,
        met_with=_OR_NONE,
        met_by=_list(_TEXT),
        detected_at=_OR_NONE,
        source=_TEXT,
        reference=_TEXT,
        rules_version=_TEXT,
        calendar=_TEXT,
        calendar_version=_TEXT,
        explanation={},
    )


def _letter() -> dict[str, Any]:
    return _object(
        id=_TEXT,
        letter=_TEXT,
        obligation=_OR_NONE,
        attempt={"type": "integer", "minimum": 1},
        way=_TEXT,
        licence=_TEXT,
        state=_TEXT,
        in_words=_TEXT,
        requested_at=_TIME,
        sent_at=_OR_NONE,
        unconfirmed=_FLAG,
    )


def _problem() -> dict[str, Any]:
    """RFC 9457."""
    return _object(
        ("parameter",),
        type={"type": "string", "pattern": "^urn:member-notices:problem:[a-z0-9-]+$"},
        title=_TEXT,
        status={"type": "integer"},
        detail={"type": "string", "description": "The way out."},
        parameter=_TEXT,
    )
