"""Element stores: the tables that contain conversations.

A store presents its tables as relations of one shape, so that each statement about conversations
is written once. Elements are documents as draive 0.89 writes them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import LiteralString

from draive_pg.operations.operation import Query, Statement, advisory_lock, advisory_locks


@dataclass(frozen=True, slots=True)
class ElementStore:
    """The tables of conversations as SQL, to be put into the text of a statement.

    Attributes
    ----------
    name : str
        Prefix of the names of its queries, and of the subjects of its advisory locks.
    conversations : str
        Relation of ``identifier`` and ``created``.
    elements : str
        Relation of ``identifier``, ``created``, ``place`` (orders equal times) and ``content``.
    variables : str
        Relation of ``identifier``, ``created``, ``place`` and ``variables``.
    insert_conversations, insert_elements, insert_variables : str
        INSERT up to its column list: ``identifier``, the document if any, ``created``.
    delete_conversations : str
        DELETE up to the alias ``conversation``; it removes elements and variables, too.
    elements_table : str
        Name of the table that has a column ``content``, for the full-text index.
    """

    name: LiteralString
    conversations: LiteralString
    elements: LiteralString
    variables: LiteralString
    insert_conversations: LiteralString
    insert_elements: LiteralString
    insert_variables: LiteralString
    delete_conversations: LiteralString
    elements_table: LiteralString


# The planner merges these subqueries into the statements, so they cost nothing. Rows that draive
# wrote may share `created`; `ctid` is their order then, unless they fill the gaps of removed rows.
MEMORIES = ElementStore(
    name="memories",
    conversations="{schema}.memories",
    elements="""(
        SELECT identifier, created, ctid AS place, content FROM {schema}.memories_elements
    )""",
    variables="""(
        SELECT identifier, created, ctid AS place, variables FROM {schema}.memories_variables
    )""",
    insert_conversations="INSERT INTO {schema}.memories (identifier, created)",
    insert_elements="INSERT INTO {schema}.memories_elements (identifier, content, created)",
    insert_variables="INSERT INTO {schema}.memories_variables (identifier, variables, created)",
    delete_conversations="DELETE FROM {schema}.memories AS conversation",
    elements_table="memories_elements",
)

STORES = (MEMORIES,)


class StoreQuery:
    """A query that is written once and built for each element store.

    Parameters
    ----------
    action : str
        The query is named after its store and this: ``memories.recall``.
    template : callable
        Return the SQL text for a store, with parameters as `Query` takes them.
    """

    __slots__ = ("_queries",)

    def __init__(self, action: str, template: Callable[[ElementStore], LiteralString]) -> None:
        self._queries = {
            store.name: Query(f"{store.name}.{action}", template(store)) for store in STORES
        }

    def __call__(self, store: ElementStore, **values: object) -> Statement:
        """Return the statement for a store with its parameters; all of them must be given."""
        return self._queries[store.name](**values)


def lock_conversation(store: ElementStore, identifier: str) -> Statement:
    """Lock a conversation against other writers until the transaction ends."""
    return advisory_lock(f"{store.name}/{identifier}")


def lock_conversations(store: ElementStore, identifiers: Iterable[str]) -> Statement:
    """Lock several conversations against other writers until the transaction ends."""
    return advisory_locks(f"{store.name}/{identifier}" for identifier in identifiers)
