"""Answers to questions about conversations: `db.analysis`."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from warnings import deprecated

from draive_pg.api._method import Namespace, method
from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.tokenizer import CountTokens
from draive_pg.codec.validation import check_text, check_texts
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames.audit import AUDIT
from draive_pg.frames.conversations import CONVERSATION_LOG, TOOL_CALLS, VARIABLES
from draive_pg.frames.query import Filters, OneOrMany
from draive_pg.frames.read import read
from draive_pg.frames.revisions import REVISIONS
from draive_pg.operations.documents import kind
from draive_pg.operations.documents.kind import DocumentKind
from draive_pg.operations.documents.read import missing
from draive_pg.operations.documents.selectors import RevisionSelector
from draive_pg.operations.operation import Call, Request, Steps, Workflow, workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandas import DataFrame


ELEMENT = ("identifier", "position", "created", "role")
TURN = (*ELEMENT, "tool_requests", "tool_responses")


class Analysis[D: Database | AsyncDatabase](Namespace[D]):
    """Answers to questions about conversations, each a DataFrame with fixed columns.

    The functions of the module `draive_pg.analysis` compute the same from DataFrames, for example
    of exported files.
    """

    __slots__ = ()

    @method
    def turns(
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per turn: a question of the user, and the time until its answer.

        A turn starts with an input without tool responses and ends before the next one. If messages
        of an imported log had no times, ``seconds`` is missing, with a `TimesMissing` warning.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``asked``, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | turn | int64 | index of the turn in its memory, from 0 |
            | position | int64 | position of its first element |
            | asked | datetime64[us, UTC] | when its first element was written |
            | answered | datetime64[us, UTC] | when its last output without requests was written |
            | seconds | float64 | from asked to answered; missing if a message had no time |
            | elements | int64 | number of elements |
            | tool_calls | int64 | number of tool requests |
            | question | str | its text |
            | answer | str | texts of its outputs without tool requests, as lines; if any |
            | question_chars | int64 | number of characters of the question |
            | answer_chars | int64 | number of characters of outputs without tool requests |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.analysis.turns(since="2026-01-01")["seconds"].describe()
        """
        from draive_pg import analysis

        memories = _memories(identifier, prefix, variables)
        log = read(CONVERSATION_LOG, {**memories, "columns": (*TURN, "text", "n_chars", "meta")})
        return _compute(analysis.turns, log, within=("asked", since, until))

    @method
    def unanswered(
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per conversation that does not end with an answer of the model.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | int64 | position of its last element |
            | created | datetime64[us, UTC] | when that was written |
            | ended | str | what that is: `question`, `tool request` or `tool response` |
            | tools | object | list of its tool names |
            | text | str | its text |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.analysis.unanswered()["ended"].value_counts()
        """
        return _unanswered(_memories(identifier, prefix, variables), since, until)

    @method
    @deprecated("db.analysis.abandoned() is deprecated: write unanswered()", stacklevel=2)
    def abandoned(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return the result of `unanswered`, which replaces this method."""
        return _unanswered(_memories(identifier, None, None), since, until)

    @method
    def activity(
        self,
        by: Literal["hour", "day", "week", "month"] = "day",
        *,
        timezone: str = "UTC",
        identifier: OneOrMany | None = None,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per hour, day, week or month, including those without any element.

        Elements of imported logs without any time are left out, with a `TimesMissing` warning.

        Parameters
        ----------
        by : {"hour", "day", "week", "month"}
            Length of a period; weeks start on Monday.
        timezone : str
            IANA time zone in which periods start, for example ``"Europe/Warsaw"``.
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of the time of elements, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | start | datetime64[us, UTC] | start of the period, in the time zone `timezone` |
            | weekday | int64 | of the start; 0 is Monday |
            | hour | int64 | of the start |
            | memories | int64 | number of memories with an element in the period |
            | turns | int64 | number of inputs without a tool response |
            | elements | int64 | number of elements |
            | tool_calls | int64 | number of tool requests |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value, or if there are more than 10,000,000 periods,
            because an element has a wrong time.

        Examples
        --------
        >>> hours = db.analysis.activity("hour", timezone="Europe/Warsaw")
        >>> hours.pivot_table(index="weekday", columns="hour", values="turns", aggfunc="sum")
        """
        from draive_pg import analysis

        analysis.check_period(by, timezone)
        memories = _memories(identifier, prefix, variables)
        log = read(
            CONVERSATION_LOG,
            {**memories, "since": since, "until": until, "columns": (*TURN, "meta")},
        )
        return _compute(partial(analysis.activity, by=by, timezone=timezone), log)

    @method
    def tools(
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        failure: str | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per tool, the most used first.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        failure : str | None
            Regular expression, case-insensitive: a call failed if the handling of its response is
            ``error`` or its text starts with a match. None for ``{"error"`` and ``error``.
        since, until : datetime | date | str | None
            Bounds of the time of requests, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | tool | str | name of the tool |
            | calls | int64 | number of requests |
            | memories | int64 | number of memories with a request |
            | answered | int64 | number of responses |
            | failures | int64 | number of failed calls |
            | failure_rate | float64 | failures / answered; missing without a response |
            | repeated | int64 | requests equal to an earlier one of their memory |
            | seconds_median | float64 | from request to response; missing without times |
            | seconds_p95 | float64 | 95th percentile of the same |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.analysis.tools(since="2026-01-01").query("failure_rate > 0.1")
        """
        from draive_pg import analysis

        pattern = analysis.check_failure(analysis.FAILURE if failure is None else failure)
        memories = _memories(identifier, prefix, variables)
        calls = read(TOOL_CALLS, {**memories, "since": since, "until": until})
        return _compute(partial(analysis.tools, failure=pattern), calls)

    @method
    def repeated_calls(
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per call that a memory has several times, the most repeated first.

        Calls are equal if they have the same tool and the same arguments.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of the time of requests, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | tool | str | name of the tool |
            | arguments | object | dict |
            | times | int64 | number of equal calls |
            | first | int64 | position of the first one's element |
            | last | int64 | position of the last one's element |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.analysis.repeated_calls("visit-1")
        """
        from draive_pg import analysis

        columns = ("identifier", "position", "tool", "arguments")
        memories = _memories(identifier, prefix, variables)
        calls = read(TOOL_CALLS, {**memories, "since": since, "until": until, "columns": columns})
        return _compute(analysis.repeated_calls, calls)

    @method
    def variable_changes(
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per variable that a snapshot changed, including its first value.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | created | datetime64[us, UTC] | when the snapshot was written |
            | variable | str | name of the variable |
            | before | object | value before; None if there was none |
            | after | object | value in the snapshot; None if there is none |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.analysis.variable_changes("visit-1")
        """
        from draive_pg import analysis

        snapshots = read(VARIABLES, _memories(identifier, prefix, variables))
        return _compute(analysis.variable_changes, snapshots, within=("created", since, until))

    @method
    def by_variable(
        self,
        name: str,
        *,
        identifier: OneOrMany | None = None,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per value of a variable, the most frequent first.

        So the prompts of imported conversations, which are the variable ``system``, can be
        compared, and conversations with different results.

        Parameters
        ----------
        name : str
            Name of the variable. The newest value of each memory counts.
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of the time of elements, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | value | object | value of the variable; None if memories do not have it |
            | memories | int64 | number of memories |
            | turns | int64 | number of turns |
            | elements | int64 | number of elements |
            | tool_calls | int64 | number of tool requests |
            | failures | int64 | number of failed calls, as in `tools` |
            | seconds_median | float64 | of the turns, as in `turns` |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.analysis.by_variable("system")[["memories", "failures"]]
        """
        from draive_pg import analysis

        check_text(name, "name")
        memories = _memories(identifier, prefix, variables)
        elements: Filters = {**memories, "since": since, "until": until}
        log = read(CONVERSATION_LOG, {**elements, "columns": (*TURN, "n_chars", "meta")})
        snapshots = read(VARIABLES, {**memories, "columns": ("identifier", "variables")})
        calls = read(TOOL_CALLS, {**elements, "columns": ("identifier", "response", "handling")})
        return _compute(partial(analysis.by_variable, name=name), log, snapshots, calls)

    @method
    def usage(
        self,
        identifier: OneOrMany | None = None,
        *,
        prices: "Mapping[str, tuple[float, float]] | None" = None,
        count_tokens: CountTokens | None = None,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return one row per model with its tokens and their cost, the most used first.

        The member ``usage`` of an element's meta has the tokens, and ``model`` the model, as in
        imported logs and wherever a service writes them.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these memories.
        prices : Mapping[str, tuple[float, float]] | None
            Prices of a million tokens of input and of output, by model.
        count_tokens : CountTokens | None
            Counts the tokens of a text, or a tokenizer with ``encode``: for elements without
            ``usage``. An input is of the model of the next output of its memory, unless the usage
            of that output includes it. Each text is counted once, though a model may get all of
            them again with each question. None leaves these elements out.
            `draive_pg.analysis.n_tokens` counts the tokens of each element.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of the time of elements, inclusive and exclusive.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | model | str | name of the model; missing if unknown |
            | memories | int64 | number of memories |
            | elements | int64 | number of elements with tokens |
            | input_tokens | int64 | number of tokens of input |
            | output_tokens | int64 | number of tokens of output |
            | cost | float64 | by the prices; missing without a price of the model |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.analysis.usage(prices={"small": (0.15, 0.6)})[["model", "cost"]]
        """
        from draive_pg import analysis

        memories = _memories(identifier, prefix, variables)
        columns = ("identifier", "role", "text", "meta")
        log = read(
            CONVERSATION_LOG, {**memories, "since": since, "until": until, "columns": columns}
        )
        return _compute(partial(analysis.usage, prices=prices, count_tokens=count_tokens), log)

    @method
    def live_instructions(
        self,
        name: OneOrMany | None = None,
        *,
        label: str | None = None,
        identifier: OneOrMany | None = None,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return which revision of each prompt was live when an element was written.

        A service may have used an older one, from its cache; `served_revisions` tells it exactly.
        For elements of imported logs it is that of the message's own time, and missing without
        one, with a `TimesMissing` warning.

        Parameters
        ----------
        name : str | Sequence[str] | None
            Only these instructions.
        label : str | None
            The revisions that had this label, by its history; None: those that were the newest.
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.

        Returns
        -------
        DataFrame
            One row per element and name, with the columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | int64 | position of the element |
            | created | datetime64[us, UTC] | when the element was written |
            | role | str | `input` or `output` |
            | name | str | name of the instructions |
            | revision | Int64 | number of the revision; missing if there was none |
            | since | datetime64[us, UTC] | when the revision was written, or got the label |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.
        DocumentMissing, RevisionMissing
            If there is no document of a given name, or it never had the label.

        Examples
        --------
        >>> live = db.analysis.live_instructions("greeting", label="production")
        >>> live.groupby("revision")["identifier"].nunique()
        """
        memories = _memories(identifier, prefix, variables)
        return _live(kind.INSTRUCTIONS, name, label, {**memories, "since": since, "until": until})

    @method
    def live_templates(
        self,
        template: OneOrMany | None = None,
        *,
        identifier: OneOrMany | None = None,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return which revision of each template was the newest when an element was written.

        A service may have used another one: an older one from its cache, or one with a label.

        Parameters
        ----------
        template : str | Sequence[str] | None
            Only these templates.
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.

        Returns
        -------
        DataFrame
            One row per element and name, with the columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | int64 | position of the element |
            | created | datetime64[us, UTC] | when the element was written |
            | role | str | `input` or `output` |
            | name | str | identifier of the template |
            | revision | Int64 | number of the revision; missing if there was none yet |
            | since | datetime64[us, UTC] | when the revision was written |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.
        DocumentMissing
            If there is no template of a given name.

        Examples
        --------
        >>> live = db.analysis.live_templates("greeting")
        >>> live.groupby("revision")["identifier"].nunique()
        """
        memories = _memories(identifier, prefix, variables)
        return _live(kind.TEMPLATES, template, None, {**memories, "since": since, "until": until})

    @method
    def live_configurations(
        self,
        configuration: OneOrMany | None = None,
        *,
        label: str | None = None,
        identifier: OneOrMany | None = None,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return which revision of each configuration was live when an element was written.

        Parameters
        ----------
        configuration : str | Sequence[str] | None
            Only these configurations.
        label : str | None
            The revisions that had this label, by its history; None: those that were the newest.
        identifier : str | Sequence[str] | None
            Only these memories.
        prefix : str | None
            Only memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.

        Returns
        -------
        DataFrame
            One row per element and configuration, with the columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | int64 | position of the element |
            | created | datetime64[us, UTC] | when the element was written |
            | role | str | `input` or `output` |
            | name | str | identifier of the configuration |
            | revision | Int64 | number of the revision; missing if there was none |
            | since | datetime64[us, UTC] | when the revision was written, or got the label |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.
        DocumentMissing, RevisionMissing
            If there is no document of a given name, or it never had the label.

        Examples
        --------
        >>> db.analysis.live_configurations("chat", identifier="visit-1")
        """
        memories = _memories(identifier, prefix, variables)
        elements: Filters = {**memories, "since": since, "until": until}
        return _live(kind.CONFIGURATIONS, configuration, label, elements)


def _memories(
    identifier: OneOrMany | None, prefix: str | None, variables: Mapping[str, Any] | None
) -> Filters:
    return {"identifier": identifier, "prefix": prefix, "variables": variables}


def _unanswered(
    memories: Filters, since: Timestamp | None, until: Timestamp | None
) -> "Workflow[DataFrame]":
    from draive_pg import analysis

    log = read(CONVERSATION_LOG, {**memories, "columns": (*TURN, "tools", "text")})
    return _compute(analysis.unanswered, log, within=("created", since, until))


def _live(
    of: DocumentKind[Any, Any], name: OneOrMany | None, label: str | None, elements: Filters
) -> "Workflow[DataFrame]":
    names = check_texts(name, of.noun)
    log = read(CONVERSATION_LOG, {**elements, "columns": (*ELEMENT, "meta")})
    if label is None:
        columns = (of.key, "revision", "created")
        revisions = read(REVISIONS[of], {"identifier": names, "columns": columns})
    else:
        check_text(label, "label")
        revisions = read(AUDIT, {"identifier": names})
    return _live_of(of, names or [], label, revisions, log)


@workflow
def _live_of(
    of: DocumentKind[Any, Any],
    names: list[str],
    label: str | None,
    revisions: "Request[DataFrame]",
    log: "Request[DataFrame]",
) -> "Steps[DataFrame]":
    """Return the live revisions; raise for a name without any, or that never had the label."""
    from draive_pg import analysis

    found = yield revisions
    if label is not None:
        found = analysis.label_periods(found[found["kind"] == of.table], label)
    known = set(found[of.key if label is None else "name"])
    for name in names:
        if name not in known:
            action = f"live revisions of {of.titled(name)} (identifier= chooses memories)"
            yield missing(of, action, name, RevisionSelector(label=label))
    return (yield _run(partial(analysis.live_revisions, revisions=found), (log,)))


def _compute(
    function: "Callable[..., DataFrame]",
    *copies: "Request[DataFrame]",
    within: tuple[str, Timestamp | None, Timestamp | None] | None = None,
) -> "Workflow[DataFrame]":
    """Return the request that reads frames and calls a function with them in a thread.

    ``within`` filters rows of the result by time, where the function needs the other rows too.
    """
    if within is None:
        return _run(function, copies)
    column, since, until = within
    after, before = check_timestamp(since, "since"), check_timestamp(until, "until")

    def filtered(*frames: "DataFrame") -> "DataFrame":
        found: Any = function(*frames)
        if after is not None:
            found = found[found[column] >= after]
        if before is not None:
            found = found[found[column] < before]
        return found.reset_index(drop=True)

    return _run(filtered, copies)


@workflow
def _run(
    function: "Callable[..., DataFrame]", copies: "tuple[Request[DataFrame], ...]"
) -> "Steps[DataFrame]":
    from draive_pg.display.frame import with_display

    frames: list[DataFrame] = []
    for copy in copies:
        frames.append((yield copy))  # noqa: PERF401 - a comprehension cannot yield
    return with_display((yield Call(partial(function, *frames))))
