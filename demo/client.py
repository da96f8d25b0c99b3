"""HTTP to our own processes on this machine: JSON in and out, no proxy, by the standard library alone."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

TIMEOUT_SECONDS = 10.0
_opener = build_opener(ProxyHandler({}))


class AnswerError(RuntimeError):
    """Another status than 2xx, with what the answer said."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


async def get(url: str) -> Any:
    """The JSON behind `url`. Raises `AnswerError`, or OSError where nobody answers."""
    return await asyncio.to_thread(_exchange, Request(url))  # noqa: S310 - addresses of our own


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> Any:
    return await asyncio.to_thread(_exchange, Request(url, body, dict(headers)))  # noqa: S310


async def post_json(url: str, document: Any) -> Any:
    return await post(url, json.dumps(document).encode(), {"content-type": "application/json"})


async def delete(url: str) -> Any:
    return await asyncio.to_thread(_exchange, Request(url, method="DELETE"))  # noqa: S310


def _exchange(request: Request) -> Any:
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read()
    except HTTPError as error:
        with error:
            text = error.read(1000).decode("utf-8", "replace")
        raise AnswerError(f"{request.get_method()} {request.selector}: {error.code} {text}", error.code) from None
    return json.loads(content) if content else None
