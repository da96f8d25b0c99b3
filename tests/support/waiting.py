"""Tests wait for a described condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

POLL_SECONDS = 0.02
WITHIN_SECONDS = 30.0
T = TypeVar("T")


@overload
async def wait_for(condition: Callable[[], Awaitable[T]], description: str, *, within_seconds: float = ...) -> T: ...
@overload
async def wait_for(condition: Callable[[], T], description: str, *, within_seconds: float = ...) -> T: ...
async def wait_for(
    condition: Callable[[], object], description: str, *, within_seconds: float = WITHIN_SECONDS
) -> object:
    """Return the first true value of `condition`, a function or a coroutine function; fail saying what never came."""
    deadline = time.monotonic() + within_seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"Within {within_seconds:g} s there was no {description}; last: {value!r}")
        await asyncio.sleep(POLL_SECONDS)
