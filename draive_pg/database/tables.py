"""Look up the tables of a database when a statement first needs them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from draive_pg.lines.line import Line
from draive_pg.operations.admin.migrations import missing_tables
from draive_pg.operations.conversations.relations import find
from draive_pg.operations.operation import (
    ByLine,
    Fallback,
    Relations,
    Statement,
    Steps,
    needs_relations,
    workflow,
)


@dataclass(slots=True)
class Tables:
    """What is known of the tables of a database.

    Attributes
    ----------
    schema : str | None
        The schema of the tables; None: the search path.
    line : Line | None
        The line of the conversations; None: detect it.
    relations : Relations | None
        The relations of conversations; None: not looked up yet.
    existing : set of str
        Tables of draive_pg that exist.
    """

    schema: str | None
    line: Line | None = None
    relations: Relations | None = None
    existing: set[str] = field(default_factory=set[str])

    def copy(self) -> "Tables":
        """Return a copy for a transaction, which may create tables and be rolled back."""
        return replace(self, existing=self.existing.copy())

    @workflow
    def resolve(
        self, statements: Sequence[Statement], fallback: Fallback | None
    ) -> Steps[Sequence[Statement]]:
        """Fill in the relations of conversations, and apply the fallback to missing tables."""
        if any(needs_relations(sql) for sql, _ in statements):
            relations = yield from self._conversations()
            statements = [*map(relations.apply, statements)]
        if fallback is None or self.existing.issuperset(fallback.empty):
            return statements
        missing = yield missing_tables(self.schema, fallback.empty)
        if missing:
            return fallback.apply(statements, missing)
        self.existing.update(fallback.empty)
        return statements

    @workflow
    def by_line[T](self, request: ByLine[T]) -> Steps[T]:
        """Run the request for the line of the conversations."""
        relations = yield from self._conversations()
        return (yield request.build(relations.line))

    def _conversations(self) -> Steps[Relations]:
        if self.relations is not None:
            return self.relations
        relations, exist = yield find(self.schema, self.line)
        if exist:
            self.relations = relations
        return relations
