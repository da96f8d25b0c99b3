"""A realm with one user, and what she and an administrator do there, over Keycloak's own pages and addresses."""

import html
import re
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.keycloak.server import ADMIN

REALM = "demo"
CLIENT = {"client_id": "app", "client_secret": "app-secret"}
CALLBACK = "http://127.0.0.1:9/callback"
_ACTION = re.compile(r'<form[^>]*\baction="([^"]+)"')


class Realm:
    """`sync` on purpose: each step is over when it returns."""

    def __init__(self, url: str) -> None:
        self.issuer = f"{url}/realms/{REALM}"
        self.password = "one-Two-3"
        self._admin_api = f"{url}/admin/realms"
        self._http = httpx.Client(timeout=60)
        token = self._http.post(
            f"{url}/realms/master/protocol/openid-connect/token",
            data={"client_id": "admin-cli", "grant_type": "password", "username": ADMIN, "password": ADMIN},
        ).json()["access_token"]
        self._as_admin = {"Authorization": f"Bearer {token}"}
        self.user = ""

    def close(self) -> None:
        self._http.close()

    def create(self, webhook: str, secret: str) -> None:
        realm = {
            "realm": REALM,
            "enabled": True,
            "bruteForceProtected": True,
            "failureFactor": 3,
            "eventsListeners": ["jboss-logging", "ext-event-webhook"],
        }
        client = {
            "clientId": CLIENT["client_id"],
            "secret": CLIENT["client_secret"],
            "directAccessGrantsEnabled": True,
            "redirectUris": [CALLBACK],
        }
        user = {
            "username": "ann",
            "email": "ann@example.test",
            "firstName": "Ann",
            "lastName": "Example",
            "enabled": True,
            "emailVerified": True,
            "credentials": [{"type": "password", "value": self.password}],
        }
        self._admin("POST", "", realm)
        self._admin("POST", f"/{REALM}/clients", client)
        self.user = self._admin("POST", f"/{REALM}/users", user).headers["location"].rpartition("/")[2]
        hook = {"enabled": True, "url": webhook, "secret": secret, "eventTypes": ["access.*", "admin.*"]}
        response = self._http.post(f"{self.issuer}/webhooks", json=hook, headers=self._as_admin)
        assert response.status_code == 201, response.text

    def sign_on(self, password: str | None = None) -> httpx.Response:
        form = {"grant_type": "password", "username": "ann", "password": password or self.password, "scope": "openid"}
        return self._http.post(f"{self.issuer}/protocol/openid-connect/token", data=CLIENT | form)

    def change_email(self, email: str) -> None:
        """As the member, in her account."""
        token = self.sign_on().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        account = {"username": "ann", "firstName": "Ann", "lastName": "Example", "email": email}
        response = self._http.post(f"{self.issuer}/account", json=account, headers=headers)
        assert response.status_code == 204, response.text

    def reset_password_by_administrator(self, password: str) -> None:
        """Temporary: the member has to choose another at the next sign-on."""
        value = {"type": "password", "value": password, "temporary": True}
        self._admin("PUT", f"/{REALM}/users/{self.user}/reset-password", value)
        self.password = password

    def sign_on_and_change_password(self, password: str) -> None:
        """In the browser's pages: sign on, then the required action."""
        query = urlencode(
            {
                "client_id": CLIENT["client_id"],
                "redirect_uri": CALLBACK,
                "response_type": "code",
                "scope": "openid",
            }
        )
        with httpx.Client(timeout=60) as browser:
            page = browser.get(f"{self.issuer}/protocol/openid-connect/auth?{query}")
            page = _submit(browser, page, {"username": "ann", "password": self.password})
            page = _submit(browser, page, {"password-new": password, "password-confirm": password})
            assert page.headers.get("location", "").startswith(CALLBACK), page.text[:2000]
        self.password = password

    def lock(self) -> None:
        for _ in range(4):
            assert self.sign_on("wrong").status_code in (400, 401)

    def _admin(self, method: str, path: str, document: dict[str, Any]) -> httpx.Response:
        response = self._http.request(method, self._admin_api + path, json=document, headers=self._as_admin)
        assert response.status_code < 300, response.text
        return response


def _submit(browser: httpx.Client, page: httpx.Response, form: dict[str, str]) -> httpx.Response:
    """The page after the form, redirects followed as far as they stay at Keycloak."""
    found = _ACTION.search(page.text)
    assert found, re.sub(r"<[^>]*>|\s+", " ", page.text)[-800:]
    _trust_this_machine(browser)
    response = browser.post(html.unescape(found[1]), data=form)
    while response.is_redirect and not response.headers["location"].startswith(CALLBACK):
        _trust_this_machine(browser)
        response = browser.get(response.headers["location"])
    return response


def _trust_this_machine(browser: httpx.Client) -> None:
    """To a browser this machine is as good as https, which Keycloak's cookies are for; to httpx it is not."""
    for cookie in browser.cookies.jar:
        cookie.secure = False
