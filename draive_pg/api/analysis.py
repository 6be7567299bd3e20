"""Questions about conversations: `db.analysis`."""

from typing import TYPE_CHECKING

from draive_pg.api._method import Namespace, method
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames import questions
from draive_pg.frames.query import OneOrMany

if TYPE_CHECKING:
    from pandas import DataFrame

    from draive_pg.analysis import Period
    from draive_pg.operations.operation import Workflow

__all__ = ("Analysis",)


class Analysis[D: Database | AsyncDatabase](Namespace[D]):
    """What analysts ask of conversations, each question one line, each answer a DataFrame.

    All take ``identifier``, one memory or several, and ``since`` (inclusive) and ``until``
    (exclusive). The functions of `draive_pg.analysis` answer the same
    from frames that you have, such as those of exported files.
    """

    __slots__ = ()

    @method
    def turns(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return a row a turn: what a user asked, and how long the answer took.

        Columns: ``identifier``, ``turn`` (from 0), ``position`` (of its first element), ``asked``
        (which ``since`` and ``until`` bound), ``answered`` (when the last output without a tool
        request was written; missing where there is none), ``seconds`` between the two,
        ``elements``, ``tool_calls``, ``question_chars``, ``answer_chars``.
        """
        return questions.turns(identifier, since, until)

    @method
    def abandoned(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return a row for each conversation that ended before the model had the last word.

        Columns: ``identifier``, ``position`` and ``created`` of its last element, ``ended`` (what
        that is: ``question``, ``tool request`` or ``tool response``), its ``tools``, its ``text``.
        """
        return questions.abandoned(identifier, since, until)

    @method
    def activity(
        self,
        by: "Period" = "day",
        *,
        timezone: str = "UTC",
        identifier: OneOrMany | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return a row for each hour, day, week or month, also those in which nothing happened.

        Columns: ``start`` (in the time zone, where days begin at midnight and weeks on Monday),
        ``weekday`` (0 is Monday) and ``hour`` of it, ``memories`` that had elements in it,
        ``turns``, ``elements``, ``tool_calls``.
        """
        return questions.activity(by, timezone, identifier, since, until)

    @method
    def tools(
        self,
        identifier: OneOrMany | None = None,
        *,
        failure: str | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return a row a tool, the most used first.

        A call failed if its response was handled as an error, or begins with the regular
        expression ``failure``; if that is None, with what looks like an error.

        Columns: ``tool``, ``calls``, ``memories`` it was called in, ``answered``, ``failures``,
        ``failure_rate`` (of those that were answered), ``repeated`` (calls that had been made in
        the same memory with the same arguments before), ``seconds_median`` and ``seconds_p95``.
        """
        return questions.tools(failure, identifier, since, until)

    @method
    def repeated_calls(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return a row for each call that was made several times with the same arguments.

        Columns: ``identifier``, ``tool``, ``arguments``, ``times``, and ``first`` and ``last``,
        the positions of the elements that made them; the most repeated first.
        """
        return questions.repeated_calls(identifier, since, until)

    @method
    def variable_changes(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return a row for each variable that a snapshot changed, its first value included.

        Columns: ``identifier``, ``created``, ``variable``, ``before`` and ``after``, None where
        there was none before, or is none any more.
        """
        return questions.variable_changes(identifier, since, until)

    @method
    def live_instructions(
        self,
        name: OneOrMany | None = None,
        *,
        identifier: OneOrMany | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return which revision of each prompt was the newest when an element was written.

        That is what was current in the database: a service that caches may have used the one
        before for as long as it keeps it, and one that reads by a label another.

        Columns: ``identifier``, ``position``, ``created`` and ``role`` of the element, ``name``
        of the prompt, ``revision`` (missing where there was none yet), ``since`` when it was live.
        """
        return questions.live_instructions(name, identifier, since, until)

    @method
    def live_configurations(
        self,
        configuration: OneOrMany | None = None,
        *,
        identifier: OneOrMany | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> "Workflow[DataFrame]":
        """Return which snapshot of each configuration was the newest when an element was written.

        Columns as of `live_instructions`; ``name`` is the configuration's identifier.
        """
        return questions.live_configurations(configuration, identifier, since, until)
