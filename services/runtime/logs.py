"""JSON logs to standard output: event names with keys, never a value from a message.

What libraries log passes through the same pipe. aiokafka and FastStream print record contents and asyncpg prints
statement arguments in some errors, so a library's line is kept as its template and an exception as its class.
"""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

_QUIET = {
    "aiokafka": logging.WARNING,
    "faststream": logging.WARNING,
    "uvicorn": logging.WARNING,
    "twilio": logging.ERROR,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "markdown_it": logging.INFO,  # a line for each rule it tries
}


def configure(service: str, level: str = "info") -> None:
    """Once a process, by its composition root."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _where_only,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, _library_line],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.contextvars.bind_contextvars(service=service)


def _where_only(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """An exception becomes its class and where it was raised: messages of drivers hold values."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if error is not None:
        event["error"] = type(error).__name__
        event["raised_at"] = _frames(error)
    return event


def _frames(error: BaseException) -> list[str]:
    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-6:]


def _library_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A library's message is kept as the first line of its template, without the arguments.

    asyncio writes the future, and with it the text of its exception, into the lines after the first.
    """
    record = event.get("_record")
    if record is not None:
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        event["event"] = template.partition("\n")[0][:200]
    return event
