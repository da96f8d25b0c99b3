"""The body of a request: no more than the limit, and no longer than the patience, whatever its headers say."""

import asyncio

from starlette.requests import Request

from services.auth_events import problems
from services.auth_events.problems import RefusedError

MAX_BODY_BYTES = 1_048_576
BODY_SECONDS = 10.0


async def read_body(request: Request, seconds: float = BODY_SECONDS) -> bytes:
    """Raises `RefusedError`; the connection ends with the answer."""
    too_large = problems.too_large("The body", f"{MAX_BODY_BYTES} bytes", "Send fewer events in one request.")
    announced = request.headers.get("content-length", "")
    # By digits first: Python refuses to read a number of thousands of them.
    if announced.isdecimal() and (len(announced) > len(str(MAX_BODY_BYTES)) or int(announced) > MAX_BODY_BYTES):
        raise RefusedError(too_large)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise RefusedError(too_large)
    except TimeoutError:
        raise RefusedError(problems.slow_body(seconds)) from None
    return bytes(body)
