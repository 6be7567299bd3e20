"""Observability of operations: log records, a hook, and OpenTelemetry spans.

- Logger ``draive_pg``: DEBUG for each operation, WARNING when one is retried, when a connection is
  replaced, when the listener loses its own, and when a stale value is served during an outage.
- ``Client(on_operation=...)`` is called with an `OperationEvent`.
- A span for each operation, with the semantic conventions for databases, where ``opentelemetry``
  is installed.
"""

import logging
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from time import perf_counter
from typing import Any

from psycopg import AsyncConnection, Connection

from draive_pg.errors import DraivePGError, hide_passwords
from draive_pg.models.admin import OperationEvent

logger = logging.getLogger("draive_pg")
logger.addHandler(logging.NullHandler())  # silent unless the program configures logging

# The subject, as in "load memory 'm'": span names must have low cardinality.
SUBJECT = re.compile(r" ['\"\d].*", re.DOTALL)


class Observer:
    """Reports the operations of one client.

    Parameters
    ----------
    on_operation : callable | None
        Called with an `OperationEvent` after each operation. Its exceptions are logged.
    """

    def __init__(self, on_operation: Callable[[OperationEvent], object] | None = None) -> None:
        self._on_operation = on_operation

    @property
    def is_active(self) -> bool:
        """Whether anybody wants to know of operations."""
        return self._on_operation is not None or logger.isEnabledFor(logging.DEBUG)

    def operation(self, name: str) -> "Observation":
        """Return a context manager that reports the operation in its block."""
        return Observation(self, name)

    def report(
        self,
        name: str,
        started: float,
        *,
        round_trips: int = 0,
        rows: int = 0,
        cached: bool = False,
        stale: bool = False,
        error: BaseException | None = None,
    ) -> None:
        """Log an operation that ends now, and call the hook."""
        if not self.is_active:
            return
        name, seconds = hide_passwords(name), perf_counter() - started
        event = OperationEvent(
            name, seconds, round_trips, rows, cached=cached, stale=stale, error=error
        )
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "%s: %.1f ms, %s%s",
                name,
                seconds * 1000,
                "cached" if cached else f"round trips: {round_trips}",
                f", {type(error).__name__}" if error else "",
            )
        if self._on_operation is not None:
            try:
                self._on_operation(event)
            except Exception:
                logger.exception("on_operation failed for %s", name)


class Observation:
    """One operation, while it runs.

    Attributes
    ----------
    round_trips : int
        How often the client has waited for the server.
    rows : int
        The number of rows received.
    retried : bool
        Whether it was repeated after a lost connection.
    """

    __slots__ = ("_name", "_observer", "_span", "_started", "retried", "round_trips", "rows")

    def __init__(self, observer: Observer, name: str) -> None:
        self._observer = observer
        self._name = name
        self.round_trips = 0
        self.rows = 0
        self.retried = False

    def __enter__(self) -> "Observation":
        self._span = _start_span(self._name)
        self._started = perf_counter()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, GeneratorExit):  # the caller closed a stream
            error = None
        if self._span is not None:
            _end_span(self._span, error)
        self._observer.report(
            self._name,
            self._started,
            round_trips=self.round_trips,
            rows=self.rows,
            error=error,
        )

    def use(self, connection: Connection | AsyncConnection, *, round_trips: int) -> None:
        """Count the round trips on a connection, and add the name of its database to the span."""
        self.round_trips += round_trips
        if self._span is not None:
            self._span.set_attribute("db.namespace", connection.info.dbname)


@cache
def _opentelemetry() -> tuple[Any, Any]:
    """Return the module ``opentelemetry.trace`` and a tracer; None without that package."""
    try:
        trace = import_module("opentelemetry.trace")
    except ImportError:
        return None, None
    return trace, trace.get_tracer("draive_pg")


def _start_span(name: str) -> Any:
    trace, tracer = _opentelemetry()
    if tracer is None:
        return None
    operation = SUBJECT.sub("", name)
    span = tracer.start_span(
        operation,
        kind=trace.SpanKind.CLIENT,
        attributes={"db.system.name": "postgresql", "db.operation.name": operation},
    )
    return span if span.is_recording() else None


def _end_span(span: Any, error: BaseException | None) -> None:
    if error is not None:
        trace, _ = _opentelemetry()
        sqlstate = error.sqlstate if isinstance(error, DraivePGError) else None
        if sqlstate is not None:
            span.set_attribute("db.response.status_code", sqlstate)
        span.set_attribute("error.type", sqlstate or type(error).__qualname__)
        span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
    span.end()
