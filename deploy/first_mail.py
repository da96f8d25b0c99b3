"""One event through the stack of `make up`: a member's contact and a changed password in, a mail in the catcher out.

Exit 0 and show the mail; or 1, and say what to look at: at once if nothing answers, else after WITHIN_SECONDS. Standard
library only.
"""

# ruff: noqa: INP001, S310, T201, UP017 - no package; addresses of our own; talks to a person; runs on an old python3 too

import json
import os
import sys
import time
import uuid
from datetime import datetime, timezone
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from deploy.prepare import DEPLOY, Problem, read

WITHIN_SECONDS = 30.0
POLL_SECONDS = 0.1
_opener = build_opener(ProxyHandler({}))


def main() -> int:
    environment = DEPLOY / ".env"
    try:
        return send_one({**(read(environment) if environment.exists() else {}), **os.environ})
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1


def send_one(settings: "dict[str, str]") -> int:
    if missing := {"ADMINISTRATION_TOKEN", "IDENTITY_PROVIDER_TOKEN"} - settings.keys():
        raise Problem(f"{' and '.join(sorted(missing))} not in deploy/.env: make up writes it, then again.")
    events = f"http://127.0.0.1:{settings.get('AUTH_EVENTS_PORT', '8080')}/v1/events"
    inbox = f"http://127.0.0.1:{settings.get('INBOX_PORT', '8025')}"
    member = f"m-{uuid.uuid4().hex}"
    address = f"{member}@example.test"
    contact = {
        "version": 1,
        "brand": "cigna-healthcare",
        "language": "en",
        "login_email": address,
        "name": "Grace Hartley",
    }
    publish(
        events,
        settings["ADMINISTRATION_TOKEN"],
        event("members.contact.v1", "urn:example:member-administration", member, contact),
    )
    changed = event("identity.password-changed.v1", "https://login.example.test", member, {"changed_at": now()})
    started = time.monotonic()
    publish(events, settings["IDENTITY_PROVIDER_TOKEN"], changed)
    while not (mails := fetch(Request(f"{inbox}/api/messages?to={address}"))["messages"]):
        if time.monotonic() - started > WITHIN_SECONDS:
            print(f"No mail within {WITHIN_SECONDS:g} s: docker compose -f deploy/compose.yaml logs", file=sys.stderr)
            return 1
        time.sleep(POLL_SECONDS)
    mail = fetch(Request(f"{inbox}/api/messages/{mails[0]['id']}"))
    print(f"{time.monotonic() - started:.2f} s after the event, in {inbox}:\n")
    print(f"From: {mail['from']}\nTo: {', '.join(mail['to'])}\nSubject: {mail['subject']}\n\n{mail['text']}")
    return 0


def event(type_: str, source: str, member: str, data: "dict[str, Any]") -> "dict[str, Any]":
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": type_,
        "subject": member,
        "time": now(),
        "datacontenttype": "application/json",
        "data": data,
    }


def publish(url: str, token: str, document: "dict[str, Any]") -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}
    answer = fetch(Request(url, json.dumps(document).encode(), headers))
    print(f"{document['type']}: accepted {json.dumps(answer)}")


def fetch(request: Request) -> Any:
    """Return the JSON of a 2xx; raise Problem with anything else."""
    try:
        with _opener.open(request, timeout=10) as answer:
            content = answer.read()
    except HTTPError as error:
        raise Problem(f"{request.full_url} answers {error.code}: {error.read(500).decode(errors='replace')}") from error
    except URLError as error:
        raise Problem(
            f"Nothing answers at {request.full_url} ({error.reason}): make up, and docker compose "
            "-f deploy/compose.yaml ps shows what runs; then again."
        ) from error
    return json.loads(content) if content else None


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


if __name__ == "__main__":
    sys.exit(main())
