"""Logs for machines: a line of JSON for each request. Identifiers, never prompts.

    {"at", "level", "logger", "event": "request", "request_id", "method", "route", "status", "code",
     "ms", "steps": {"assess_prompt": ms, ...}, "decision_id", "subject"}

``route`` is the pattern that matched, not the path: nothing that a caller wrote stands in a line
but the id of a decision, which is ours.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

requests = logging.getLogger("guard.gateway.requests")


class JsonLines(logging.Formatter):
    """One JSON object a line, with what a record carries as ``fields`` beside its message."""

    def format(self, record: logging.LogRecord) -> str:
        """``record`` as a line without its newline."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The message of an exception may quote what was sent; its type and place do not.
            line["exception"] = record.exc_info[0].__name__
            line["where"] = _where(record.exc_info[2])
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def install(stream: TextIO | None = None) -> logging.Handler:
    """Write what this package logs, as lines of JSON, to ``stream``: by default to stderr."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("guard")
    logger.handlers = [h for h in logger.handlers if not isinstance(h.formatter, JsonLines)]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return handler


def _where(trace: Any) -> list[str]:
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(
            f"{trace.tb_frame.f_globals.get('__name__')}.{code.co_name}:{trace.tb_lineno}"
        )
        trace = trace.tb_next
    return places
