"""
The way in for statements: the dialect's own execute methods, timed.

`Dialect.do_execute` and its siblings are public methods of SQLAlchemy's dialect interface, called once for every
statement that reaches the driver, with the compiled text (which is parameterised and so its own fingerprint).
Standing in for them costs about 2 µs; any ``*_cursor_execute`` listener costs 27, because it switches the
engine's event machinery on. Where a dialect can't be changed, those listeners are the way back.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Engine, ExceptionContext, event

from monitoring.capture.context import RequestContext, Spilled, Statement, Work, current
from monitoring.capture.hub import Hub, LooseStatement, running_loop
from monitoring.capture.redact import redacted
from monitoring.capture.sites import call_site, describe

_SPILL_AT = 1000
_MAX_SITES = 1000


class QueryCapture:
    """
    Time every statement of an engine.

    Args:
        engine: the engine (of an async engine, its `sync_engine`).
        name: how it is called in figures and logs.
        hub: takes what was seen.
    """

    def __init__(self, engine: Engine, name: str, hub: Hub) -> None:
        self._engine = engine
        self._name = name
        self._hub = hub
        self._blocks = not engine.dialect.is_async
        self._parameters = hub.settings.log_query_parameters
        self._many_at = hub.settings.n_plus_one_queries - 1
        self._sites: dict[tuple[str | None, str], str] = {}
        self._replaced: dict[str, Any] = {}
        self._listening = False

    def install(self) -> None:
        """Begin to time."""
        dialect = self._engine.dialect
        try:
            for method, many in (("do_execute", False), ("do_executemany", True)):
                self._replace(dialect, method, self._timed(getattr(dialect, method), many=many))
            self._replace(dialect, "do_execute_no_params", self._timed_alone(dialect.do_execute_no_params))
            for method in ("do_commit", "do_rollback"):
                self._replace(dialect, method, self._timed_driver(getattr(dialect, method)))
        except AttributeError:
            self._restore()
            for name, listener in self._listeners():
                event.listen(self._engine, name, listener)
            self._listening = True

    def remove(self) -> None:
        """Give the dialect back as it was."""
        self._restore()
        if self._listening:
            for name, listener in self._listeners():
                event.remove(self._engine, name, listener)
            self._listening = False

    def _replace(self, dialect: Any, method: str, stand_in: Callable[..., Any]) -> None:
        # Kept so that what another library put on the instance comes back too.
        self._replaced[method] = dialect.__dict__.get(method)
        setattr(dialect, method, stand_in)

    def _restore(self) -> None:
        instance = self._engine.dialect.__dict__
        for method, before in self._replaced.items():
            if before is None:
                instance.pop(method, None)
            else:
                instance[method] = before
        self._replaced.clear()

    def _timed(self, original: Callable[..., Any], *, many: bool) -> Callable[..., Any]:
        clock = self._hub.monotonic_s
        see = self._see

        # The dialect interface's own signature: passing on whatever comes costs half as much again.
        def execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
            start_s = clock()
            try:
                answer = original(cursor, statement, parameters, context)
            except BaseException as error:
                see(cursor, statement, start_s, parameters, many, type(error).__name__)
                raise
            see(cursor, statement, start_s, parameters, many, None)
            return answer

        return execute

    def _timed_alone(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def without(cursor: Any, statement: str, parameters: Any, context: Any) -> Any:  # noqa: ARG001  # has none
            return original(cursor, statement, context)

        timed = self._timed(without, many=False)

        def execute(cursor: Any, statement: str, context: Any = None) -> Any:
            return timed(cursor, statement, None, context)

        return execute

    def _timed_driver(self, original: Callable[..., Any]) -> Callable[..., Any]:
        clock = self._hub.monotonic_s
        hub = self._hub

        def driver_call(connection: Any) -> Any:
            start_s = clock()
            try:
                return original(connection)
            finally:
                context = current.get()
                if context is not None and context.hub is hub and not context.done:
                    work = context.work
                    if work is None:
                        work = context.begin_work()
                    work.database_s += clock() - start_s

        return driver_call

    def _see(  # noqa: PLR0917  # hot path: keyword arguments cost
        self,
        cursor: Any,
        text: str,
        start_s: float,
        parameters: Any,
        many: bool,  # noqa: FBT001  # likewise
        error: str | None,
    ) -> None:
        hub = self._hub
        try:
            duration_s = hub.monotonic_s() - start_s
            context = current.get()
            if context is not None and context.hub is not hub:
                context = None
            rows = cursor.rowcount if error is None else None
            blocking = self._blocks and running_loop() is not None
            site = None
            work = context.work if context is not None else None
            if blocking or (work is not None and len(work.statements) >= self._many_at):
                site = self._site(context, text)
            statement = Statement(
                start_s,
                duration_s,
                self._name,
                text,
                rows if rows is not None and rows >= 0 else None,
                many,
                error,
                redacted(text, parameters) if self._parameters and parameters is not None else None,
                site,
                blocking,
            )
            if context is None or context.done:
                hub.put(LooseStatement(statement, hub.wall_s() - duration_s, context))
                if not hub.started and hub.start is not None:  # a script, a task queue's worker, a forked child
                    hub.start()
                return
            if work is None:
                work = context.begin_work()
            work.statements.append(statement)
            work.database_s += duration_s
            if len(work.statements) >= _SPILL_AT:
                self._spill(context, work)
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not cost the statement
            hub.fault(fault)

    def _spill(self, context: RequestContext, work: Work) -> None:
        """Relieve a long request of its statements, so that its memory is bounded; its figures are kept."""
        statements, work.statements = work.statements, []
        waits, work.waits = work.waits, []
        if work.spilled is None:
            work.spilled = Spilled()
        work.spilled.add(statements, waits)
        work.spilled_n += len(statements)
        for statement in statements:
            self._hub.put(LooseStatement(statement, context.wall_s(statement.start_s), context))

    def _site(self, context: RequestContext | None, text: str) -> str:
        """Return where the statement came from; looked for once for each endpoint and statement."""
        endpoint = context.scope.get("endpoint") if context is not None else None
        key = (getattr(endpoint, "__qualname__", None), text)
        site = self._sites.get(key)
        if site is None:
            site = describe(call_site())
            if len(self._sites) < _MAX_SITES:
                self._sites[key] = site
        return site

    # ---- the documented way back

    def _listeners(self) -> Iterator[tuple[str, Callable[..., None]]]:
        yield "before_cursor_execute", self._before
        yield "after_cursor_execute", self._after
        yield "handle_error", self._failed

    def _before(self, *arguments: Any) -> None:
        context = arguments[4]
        context._monitoring_start_s = self._hub.monotonic_s()  # kept beside the statement it is about

    def _after(self, *arguments: Any) -> None:
        _, cursor, text, parameters, context, many = arguments
        start_s = context.__dict__.pop("_monitoring_start_s", None)
        if start_s is not None:
            self._see(cursor, text, start_s, parameters, bool(many), None)

    def _failed(self, failure: ExceptionContext) -> None:
        # Without an execution the fault was elsewhere; after `_after` it was in reading the rows.
        context: Any = failure.execution_context
        start_s = context.__dict__.pop("_monitoring_start_s", None) if context is not None else None
        if start_s is not None:
            error = type(failure.original_exception).__name__
            many = bool(getattr(context, "executemany", False))
            self._see(None, failure.statement or "", start_s, failure.parameters, many, error)
