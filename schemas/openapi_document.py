"""OpenAPI 3.1 of auth_events' HTTP: what it takes, what proves it, and every way in which it answers.

The bodies of providers are the providers' own: docs/upstreams.md says what becomes of them.
"""

from typing import Any

from schemas.topics import TOPIC_OF_TYPE

JSON = "application/json"
PROBLEM = "application/problem+json"
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "auth-events",
            "version": "1",
            "description": "Upstream events in. No answer repeats what was sent. 5xx only where sending again helps.",
        },
        "paths": {
            "/v1/events": {"post": _events()},
            "/v1/keycloak/events": {"post": _keycloak()},
            "/v1/okta/event-hook": {"get": _okta_challenge(), "post": _okta()},
            "/v1/auth0/logs": {"post": _auth0()},
            "/v1/security-events": {"post": _security_events()},
        },
        "components": {
            "securitySchemes": {
                "publisher": {"type": "http", "scheme": "bearer", "description": "A token bound to sources and types."},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Keycloak-Signature",
                    "description": "Hex HMAC-SHA256 of the raw body.",
                },
                "header": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "The value agreed upon with the provider, whole.",
                },
            },
            "schemas": {
                "Problem": _problem(),
                "Accepted": _accepted(),
                "SetError": _set_error(),
                "CloudEvent": _cloud_event(),
            },
        },
    }


def _events() -> dict[str, Any]:
    return {
        "summary": "CloudEvents: structured, batch, or binary.",
        "security": [{"publisher": []}],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _ref("CloudEvent")},
                "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _ref("CloudEvent")}},
                JSON: {"schema": {"description": "The data; the attributes are `ce-` headers."}},
            },
        },
        "responses": {"202": _taken(), **_problems("400", "401", "403", "408", "413", "415", "422", "503")},
    }


def _keycloak() -> dict[str, Any]:
    return {
        "summary": "One event of Keycloak's keycloak-events extension.",
        "security": [{"signature": []}],
        "requestBody": _body(JSON),
        "responses": {"202": _taken(), **_problems("400", "401", "403", "408", "413", "415", "429", "503")},
    }


def _okta_challenge() -> dict[str, Any]:
    return {
        "summary": "Okta's one-time verification of the address.",
        "security": [],
        "parameters": [
            {
                "name": "x-okta-verification-challenge",
                "in": "header",
                "required": True,
                "schema": {"type": "string", "minLength": 1, "maxLength": 512},
            }
        ],
        "responses": {
            "200": {
                "description": "The challenge.",
                "content": {
                    JSON: {
                        "schema": {
                            "type": "object",
                            "properties": {"verification": {"type": "string"}},
                            "required": ["verification"],
                        }
                    }
                },
            },
            **_problems("400"),
        },
    }


def _okta() -> dict[str, Any]:
    return {
        "summary": "One delivery of an Okta event hook.",
        "security": [{"header": []}],
        "requestBody": _body(JSON),
        "responses": {
            "204": {"description": "Taken, all of it."},
            **_problems("400", "401", "408", "413", "415", "429", "503"),
        },
    }


def _auth0() -> dict[str, Any]:
    return {
        "summary": "Log events of Auth0: JSON lines, an array or an object.",
        "security": [{"header": []}],
        "requestBody": _body(JSON, "application/x-ndjson"),
        "responses": {"202": _taken(), **_problems("400", "401", "408", "413", "415", "429", "503")},
    }


def _security_events() -> dict[str, Any]:
    return {
        "summary": "A security event token, pushed (RFC 8935).",
        "security": [{}, {"header": []}],
        "requestBody": _body("application/secevent+jwt", schema={"type": "string"}),
        "responses": {
            "202": {"description": "Taken."},
            "400": {"description": "Refused.", "content": {JSON: {"schema": _ref("SetError")}}},
            **_problems("408", "413", "415", "429", "503"),
        },
    }


def _body(*media_types: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": schema or {}} for media_type in media_types}}


def _taken() -> dict[str, Any]:
    return {
        "description": "Taken: on Kafka, in the outbox, or waiting for its member.",
        "content": {JSON: {"schema": _ref("Accepted")}},
    }


def _problems(*statuses: str) -> dict[str, Any]:
    content = {PROBLEM: {"schema": _ref("Problem")}}
    return {
        status: {
            "description": _WHY[status],
            "content": content,
            **({"headers": _RETRY} if status in ("429", "503") else {}),
        }
        for status in statuses
    }


_WHY = {
    "400": "It cannot be read.",
    "401": "Nothing proves whose it is.",
    "403": "It is proven, and not allowed: another's source, type or realm, or outside the replay window.",
    "408": "The body did not come in time.",
    "413": "More than 1 MiB.",
    "415": "Not a media type of CloudEvents, or compressed.",
    "422": "An event that its schema refuses.",
    "429": "Too many requests from one address that nothing proves.",
    "503": "Nobody could take it: the same again, later.",
}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _accepted() -> dict[str, Any]:
    return {"type": "object", "properties": {"accepted": {"type": "integer", "minimum": 0}}, "required": ["accepted"]}


def _cloud_event() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "description": "What `data` holds, by `type`: schemas/json.",
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "type": {"enum": sorted(TOPIC_OF_TYPE)},
            "source": text,
            "id": text,
            "subject": text,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": JSON},
            "data": {"type": "object"},
        },
        "required": ["specversion", "type", "source", "id", "subject", "time", "data"],
    }


def _problem() -> dict[str, Any]:
    """RFC 9457."""
    text = {"type": "string"}
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "pattern": "^urn:member-notices:problem:[a-z0-9-]+$"},
            "title": text,
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "The way out."},
            "field": text,
            "rule": text,
            "event": {"type": "integer", "description": "Position in a batch, from 0."},
        },
        "required": ["type", "title", "status", "detail"],
    }


def _set_error() -> dict[str, Any]:
    codes = (
        "invalid_request",
        "invalid_key",
        "invalid_issuer",
        "invalid_audience",
        "authentication_failed",
        "access_denied",
    )
    return {
        "type": "object",
        "properties": {"err": {"enum": list(codes)}, "description": {"type": "string"}},
        "required": ["err"],
    }
