"""Log lines: JSON on standard error, one event a line, without local variables in tracebacks."""

import logging
import os
import sys
import traceback
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def configure(service: str, *, level: str = "INFO") -> None:
    """
    Configure logging for this process, the standard library's included.

    A traceback never shows local variables: they hold passwords and seeds.

    Args:
        service: Stands on every line.
        level: The least that is written, where ``TWOFOLD_LOG`` doesn't say.
    """
    told = os.environ.get("TWOFOLD_LOG", level).upper()
    least = logging.getLevelNamesMapping().get(told, logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(
            ExceptionDictTransformer(show_locals=False, max_frames=20)
        ),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell of each retry; what matters of it is in our own lines.
    root.setLevel(max(least, logging.WARNING))
    for name in ("aiokafka", "asyncio", "asyncpg"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def way_to(error: BaseException) -> list[str]:
    """
    Where *error* came from, innermost last: modules, functions and lines.

    For what deals with personal data: an exception's own words may repeat it.
    """
    return [
        f"{frame.f_globals.get('__name__', '?')}:{frame.f_code.co_name}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
