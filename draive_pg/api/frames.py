"""DataFrames of the tables: `db.frames`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from draive_pg.api._method import Namespace, method, stream
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames import frame_named, views
from draive_pg.frames.annotations import ANNOTATIONS
from draive_pg.frames.audit import AUDIT
from draive_pg.frames.conversations import CONVERSATION_LOG, SESSIONS, TOOL_CALLS, VARIABLES
from draive_pg.frames.frame import Format, PartitionBy
from draive_pg.frames.query import Backend, Filters, JsonColumns, OneOrMany, Role, Speaker
from draive_pg.frames.read import chunks, read
from draive_pg.frames.removed_elements import REMOVED_ELEMENTS
from draive_pg.frames.revisions import CONFIGURATIONS, INSTRUCTION_REVISIONS, TEMPLATE_REVISIONS
from draive_pg.frames.views import DEFAULT_SCHEMA
from draive_pg.operations.operation import Request

if TYPE_CHECKING:
    from pandas import DataFrame

    from draive_pg.operations.copy import Copy
    from draive_pg.operations.operation import Workflow


class Frames[D: Database | AsyncDatabase](Namespace[D]):
    """The tables as pandas DataFrames.

    Columns and dtypes are fixed, also of an empty DataFrame. Times are in UTC. Columns of dtype
    ``object`` hold tuples of texts, or JSON as Python values: dicts, lists, numbers, strings.
    """

    __slots__ = ()

    @method
    def conversation_log(  # noqa: PLR0913 - filters
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        role: Role | None = None,
        speaker: Speaker | None = None,
        tool: OneOrMany | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per element, ordered by identifier and position.

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
        limit : int | None
            Maximum number of rows; the first ones are returned.
        role : {"input", "output"} | None
            Only one of draive's roles.
        speaker : {"user", "assistant", "tool"} | None
            Only elements of one; an input with a tool response is of a tool.
        tool : str | Sequence[str] | None
            Only elements with a request or a response of one of these tools.
        columns : Sequence[str] | None
            Only these columns, in this order; others are not computed.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | int64 | index of the element in its memory, from 0 |
            | created | datetime64[us, UTC] | when it was written |
            | role | str | `input` or `output` |
            | speaker | str | `user`, `assistant` or `tool` |
            | text | str | text parts, joined |
            | reasoning | str | text of reasoning blocks, joined |
            | tools | object | tuple of the tool names of requests and responses |
            | tool_requests | int64 | number of tool requests |
            | tool_responses | int64 | number of tool responses |
            | parts | int64 | number of content parts |
            | n_chars | int64 | number of characters of `text` |
            | meta | object | dict |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> log = db.frames.conversation_log(since="2026-01-01", role="input")
        >>> log.groupby("identifier")["n_chars"].mean()
        """
        return read(
            CONVERSATION_LOG,
            {
                "identifier": identifier,
                "prefix": prefix,
                "variables": variables,
                "since": since,
                "until": until,
                "limit": limit,
                "role": role,
                "speaker": speaker,
                "tool": tool,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def tool_calls(  # noqa: PLR0913 - filters
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        tool: OneOrMany | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per tool request with its response, in the order of the requests.

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
        limit : int | None
            Maximum number of rows; the first ones are returned.
        tool : str | Sequence[str] | None
            Only calls of these tools.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns; without a response, the last five are missing, and ``failed`` is False. If
            an element requests several calls with the same id, their responses are taken in order.

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | int64 | index of the requesting element in its memory, from 0 |
            | created | datetime64[us, UTC] | when the request was written |
            | call | str | id of the call |
            | tool | str | name of the tool |
            | arguments | object | dict |
            | response | str | text of the response |
            | handling | str | `response`, `error` or another handling of draive |
            | failed | bool | whether the response is an error or begins like one |
            | responded | datetime64[us, UTC] | when the response was written |
            | seconds | float64 | from request to response |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> calls = db.frames.tool_calls(tool="search")
        >>> calls[calls["handling"] == "error"]
        """
        return read(
            TOOL_CALLS,
            {
                "identifier": identifier,
                "prefix": prefix,
                "variables": variables,
                "since": since,
                "until": until,
                "limit": limit,
                "tool": tool,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def sessions(  # noqa: PLR0913 - filters
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per memory, ordered by identifier.

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
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | created | datetime64[us, UTC] | when the memory was created |
            | first | datetime64[us, UTC] | when its first element was written, if it has one |
            | last | datetime64[us, UTC] | when its last element was written, if it has one |
            | elements | int64 | number of elements |
            | turns | int64 | number of inputs without a tool response |
            | tool_calls | int64 | number of tool requests |
            | failures | int64 | number of failed tool responses |
            | n_chars | int64 | number of characters of all texts |
            | seconds | float64 | from first to last |
            | question | str | text of the first input without a tool response, if any |
            | variables | object | dict of the newest variables, if any |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.frames.sessions(since="2026-01-01").nlargest(10, "turns")
        """
        return read(
            SESSIONS,
            {
                "identifier": identifier,
                "prefix": prefix,
                "variables": variables,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def variables(  # noqa: PLR0913 - filters
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per snapshot of variables, ordered by identifier and time.

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
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | created | datetime64[us, UTC] | when the snapshot was written |
            | variables | object | dict of all variables |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.frames.variables("visit-1")["variables"].iloc[-1]
        """
        return read(
            VARIABLES,
            {
                "identifier": identifier,
                "prefix": prefix,
                "variables": variables,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def instruction_revisions(
        self,
        name: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per revision of instructions, ordered by name and revision.

        Parameters
        ----------
        name : str | Sequence[str] | None
            Only these instructions.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | name | str | name of the instructions |
            | revision | int64 | number of the revision, from 1; 0 if `created` is missing |
            | created | datetime64[us, UTC] | when it was written, if Python can represent it |
            | description | str | purpose of the instructions, if any |
            | content | str | the template |
            | arguments | object | list of the declared arguments |
            | meta | object | dict |
            | n_chars | int64 | number of characters of `content` |
            | author | str | who wrote it, if recorded |
            | message | str | why, if recorded |
            | labels | object | tuple of the labels that are on it |
            | current | bool | whether it is the newest revision |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.frames.instruction_revisions("greeting").plot(x="created", y="n_chars")
        """
        return read(
            INSTRUCTION_REVISIONS,
            {
                "identifier": name,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def template_revisions(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per revision of a template, ordered by identifier and revision.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these templates.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the template |
            | revision | int64 | number of the revision, from 1; 0 if `created` is missing |
            | created | datetime64[us, UTC] | when it was written, if Python can represent it |
            | description | str | purpose of the template, if any |
            | content | str | the text |
            | variables | object | dict of the descriptions of the variables by their names |
            | meta | object | dict |
            | n_chars | int64 | number of characters of `content` |
            | author | str | who wrote it, if recorded |
            | message | str | why, if recorded |
            | labels | object | tuple of the labels that are on it |
            | current | bool | whether it is the newest revision |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.frames.template_revisions("greeting").plot(x="created", y="n_chars")
        """
        return read(
            TEMPLATE_REVISIONS,
            {
                "identifier": identifier,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def configurations(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per revision of a configuration, ordered by identifier and revision.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these configurations.
        since, until : datetime | date | str | None
            Bounds of ``created``, inclusive and exclusive.
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the configuration |
            | revision | int64 | number of the revision, from 1; 0 if `created` is missing |
            | created | datetime64[us, UTC] | when it was written, if Python can represent it |
            | content | object | dict |
            | author | str | who wrote it, if recorded |
            | message | str | why, if recorded |
            | labels | object | tuple of the labels that are on it |
            | current | bool | whether it is the newest revision |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.frames.configurations("chat")["content"].apply(pd.Series)
        """
        return read(
            CONFIGURATIONS,
            {
                "identifier": identifier,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def audit(
        self,
        name: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per definition, label move and removal of documents, ordered by time.

        Removals are recorded by triggers, so those by SQL are included, with the role. Revisions
        that were removed before `setup` of draive_pg 0.2 are not.

        Parameters
        ----------
        name : str | Sequence[str] | None
            Only these documents, of all kinds.
        since, until : datetime | date | str | None
            Bounds of ``time``, inclusive and exclusive.
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | kind | str | `instructions`, `configurations` or `templates` |
            | name | str | name of the document |
            | action | str | `define`, `label`, `unlabel` or `remove` |
            | time | datetime64[us, UTC] | when it was done |
            | revision | int64 | number of the revision; 0 for `unlabel` |
            | revision_created | datetime64[us, UTC] | when the revision was written |
            | label | str | the label that was moved or removed |
            | author | str | who did it, if given |
            | message | str | why, if given |
            | role | str | the database role that removed the revision |
            | digest | str | SHA-256 of the revision's content, in hexadecimal |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.frames.audit(since="2026-01-01").query("action == 'remove'")
        """
        return read(
            AUDIT,
            {
                "identifier": name,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
            },
            backend=backend,
        )

    @method
    def annotations(  # noqa: PLR0913 - filters
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per annotation, ordered by identifier, position and time.

        ``identifier`` and ``position`` are those of `conversation_log`, `tool_calls` and
        `Analysis.turns`, so that they can be merged.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only of these memories.
        prefix : str | None
            Only of memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only of memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``annotated``, inclusive and exclusive.
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            Without effect, as no column has JSON.
        backend : {"pandas", "arrow", "polars"}
            Type of the result.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | Int64 | of the element; missing for the memory, or if the element is gone |
            | name | str | what is judged |
            | score | float64 | the score, if any |
            | comment | str | the comment, if any |
            | tags | object | tuple of the tags |
            | author | str | who gave it, if known |
            | annotated | datetime64[us, UTC] | when |
            | id | str | name of the annotation in its memory |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> log, scores = db.frames.conversation_log(), db.frames.annotations()
        >>> log.merge(scores, on=["identifier", "position"], how="left")
        """
        return read(
            ANNOTATIONS,
            {
                "identifier": identifier,
                "prefix": prefix,
                "variables": variables,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @method
    def removed_elements(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        documents: JsonColumns = "objects",
        backend: Backend = "pandas",
    ) -> "Request[DataFrame]":
        """Return one row per element that was removed or replaced on its own, ordered by time.

        These are the removals by `Memory.pop`, `undo`, `truncate`, `remove_element`, `replace` and
        `clear`, unless called with ``erase=True``; not those of whole memories.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only these memories.
        since, until : datetime | date | str | None
            Bounds of ``removed``, inclusive and exclusive.
        limit : int | None
            Maximum number of rows; the first ones are returned.
        columns : Sequence[str] | None
            Only these columns, in this order.
        documents : {"objects", "text"}
            JSON columns as Python values, or as JSON text, which can be hashed and written to
            Parquet by pandas.
        backend : {"pandas", "arrow", "polars"}
            Type of the result; ``pyarrow.Table`` and ``polars.DataFrame`` have JSON text.

        Returns
        -------
        DataFrame
            The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | created | datetime64[us, UTC] | when the element was written |
            | action | str | `remove` or `replace` |
            | removed | datetime64[us, UTC] | when it was removed or replaced |
            | role | str | the database role that did it |
            | author | str | who did it, if given |
            | reason | str | why, if given |
            | content | object | the element as it was |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.

        Examples
        --------
        >>> db.frames.removed_elements("visit-1")[["removed", "reason"]]
        """
        return read(
            REMOVED_ELEMENTS,
            {
                "identifier": identifier,
                "since": since,
                "until": until,
                "limit": limit,
                "columns": columns,
                "documents": documents,
            },
            backend=backend,
        )

    @stream
    def chunks(
        self, frame: str, *, rows: int = 100_000, **filters: Unpack[Filters]
    ) -> "Copy[DataFrame]":
        """Iterate over a frame that need not fit in memory.

        Parameters
        ----------
        frame : str
            Name of a method of this class: ``"conversation_log"``, ``"tool_calls"``,
            ``"sessions"``, ``"variables"``, ``"instruction_revisions"``,
            ``"template_revisions"``, ``"configurations"``, ``"audit"``,
            ``"removed_elements"`` or ``"annotations"``.
        rows : int
            Number of rows of each DataFrame; the last one may have fewer.
        **filters
            Arguments of that method; ``identifier`` also for what has a ``name``.

        Yields
        ------
        DataFrame
            At least one, which may be empty. All are of one snapshot of the database. The iterator
            uses a connection until it ends or is closed; in a `transaction`, nothing else can run
            meanwhile.

        Raises
        ------
        TypeError, ValueError
            For an unknown frame or filter, or an argument of a wrong type or value.

        Examples
        --------
        >>> for log in db.frames.chunks("conversation_log", columns=["role", "text"]):
        ...     process(log)
        """
        return chunks(frame_named(frame), filters, rows)

    @method
    def create_views(self, schema: str = DEFAULT_SCHEMA) -> "Workflow[tuple[str, ...]]":
        """Create views with the columns of the frames, for psql, DuckDB and dashboards.

        A view has the name of its frame. It reads with the rights of the role that queries it.
        Views that exist are replaced, and keep their grants. `setup` does not create any.

        Parameters
        ----------
        schema : str
            Schema of the views, which is created if it does not exist; not that of the tables.

        Returns
        -------
        tuple of str
            Names of the views.

        Raises
        ------
        PermissionDenied
            If the role may not create them.
        SchemaInvalid
            If the schema has views of tables in another schema.

        Examples
        --------
        >>> db.frames.create_views()
        >>> db.sql("SELECT speaker, count(*) FROM draive_pg.conversation_log GROUP BY speaker")
        """
        return views.create(schema, self._database.schema)

    @method
    def drop_views(self, schema: str = DEFAULT_SCHEMA) -> "Workflow[tuple[str, ...]]":
        """Drop the views that `create_views` created, and return their names.

        Parameters
        ----------
        schema : str
            Schema of the views, which stays.

        Returns
        -------
        tuple of str
            Names of the views; empty if there were none.

        Examples
        --------
        >>> db.frames.drop_views()
        """
        return views.drop(schema, self._database.schema)

    @method
    def export(
        self,
        frame: str,
        path: Path | str,
        *,
        format: Format | None = None,  # noqa: A002 - what it is
        spreadsheet: bool = False,
        partition_by: PartitionBy | None = None,
        progress: bool | None = None,
        **filters: Unpack[Filters],
    ) -> Request[int]:
        """Write a frame of any size to a file, or to a folder of files, in constant memory.

        JSON columns are text in Parquet and CSV, and nested in JSON Lines; `tools` and `labels` are
        lists in Parquet. Times in CSV and JSON
        Lines are ISO 8601 in UTC.

        Parameters
        ----------
        frame : str
            Name of the frame, as in `chunks`.
        path : Path | str
            The file; it is replaced when the export is complete, and unchanged after an error. With
            ``partition_by`` the folder.
        format : {"parquet", "csv", "jsonl"} | None
            Format; None for that of the suffix. CSV and JSON Lines are gzipped if the name ends in
            ``.gz``.
        spreadsheet : bool
            Write CSV that spreadsheet programs open safely: with a byte order mark, and with an
            apostrophe before texts that begin with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
            return.
        partition_by : {"month", "day"} | int | None
            Write the conversation log to a folder of Parquet files: one for each month or day in
            UTC, ``month=2026-11/part-0.parquet``, or one for about so many rows,
            ``part-0.parquet``, with each memory in one of them. ``_manifest.json`` has the
            parameters and the parts. After an interruption, the same call writes the parts that
            are missing. ``since="last"`` adds files with the elements that were committed since
            the last export to the folder, each once; where there is none, it exports all.
        progress : bool | None
            Show a progress bar, whose total is an estimate; None for only in a terminal or
            notebook.
        **filters
            Arguments of the method of that name, as in `chunks`.

        Returns
        -------
        int
            Number of rows written.

        Raises
        ------
        TypeError, ValueError
            For an unknown frame, format or filter, or an argument of a wrong type or value.
        FileInvalid
            If the folder has an export that is complete, of other parameters, or of another
            database, or files that no export wrote.

        Examples
        --------
        >>> db.frames.export("conversation_log", "log.parquet", since="2026-01-01")
        >>> db.frames.export("conversation_log", "log", partition_by="month")
        >>> db.frames.export("conversation_log", "log", since="last")
        """
        from draive_pg.frames.export import export
        from draive_pg.frames.partitions import export_parts

        if partition_by is not None or filters.get("since") == "last":
            if spreadsheet or format not in (None, "parquet"):
                raise ValueError("partition_by is for Parquet: leave out format and spreadsheet")
            return export_parts(
                frame_named(frame),
                path,
                filters,
                partition_by,
                self._database.schema,
                progress=progress,
            )
        return export(
            frame_named(frame),
            path,
            filters,
            format=format,
            spreadsheet=spreadsheet,
            progress=progress,
        )
