"""Random calls on two memories, compared with lists, in plain and in partitioned tables."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from draive import ModelInput, ModelOutput
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from draive_pg import Client, MemoryExists, MemoryMissing
from tests.elements import answered, asked

NAMES = ("a", "a/b")
EDITS = ("pop", "undo", "truncate", "replace", "remove_element", "clear")
TABLES = "memories, draive_pg_keys, draive_pg_removed_elements"

# As a writer of SQL may do: at the time of the newest element.
INSERT = """
INSERT INTO memories_elements (identifier, content, created)
SELECT $1, $2::JSONB, coalesce(max(created), TIMESTAMPTZ '2100-01-01Z')
FROM memories_elements WHERE identifier = $1
"""

KEPT = "SELECT identifier, content #>> '{blocks,0,parts,0,text}' FROM draive_pg_removed_elements"

name = st.sampled_from(NAMES)
position = st.integers(0, 3)

type Element = ModelInput | ModelOutput


@dataclass
class Model:
    """What a memory holds."""

    elements: list[Element] = field(default_factory=list[Element])
    variables: dict[str, Any] = field(default_factory=dict[str, Any])

    def inputs(self, start: int = 0) -> list[int]:
        """Return the positions of the user's elements from a position on."""
        return [n for n, e in enumerate(self.elements) if n >= start and isinstance(e, ModelInput)]


class Undone(Exception):
    """Rolls back a transaction."""


class Memories(RuleBasedStateMachine):
    """Calls of one client, and what the memories must hold."""

    db: Client
    sql: psycopg.Connection

    def __init__(self) -> None:
        super().__init__()
        self.sql.execute(f"TRUNCATE {TABLES} CASCADE".encode())
        self.models: dict[str, Model] = {}
        self.keys = set[tuple[str, str]]()
        self.kept: list[tuple[str, str]] = []
        self.count = 0

    def element(self) -> Element:
        self.count += 1
        return (asked if self.count % 3 else answered)(f"text {self.count}")

    def model(self, name: str) -> Model:
        return self.models.get(name, Model())

    def remove_from(self, name: str, part: slice) -> list[Element]:
        model = self.model(name)
        removed = model.elements[part]
        del model.elements[part]
        self.kept += [(name, each.content.to_str()) for each in removed]
        return removed

    def place(self, name: str, position: int, *, by_cursor: bool) -> int | str:
        page = self.db.memory(name).elements()
        return page[position].cursor if by_cursor and position < len(page) else position

    @rule(
        name=name,
        number=st.integers(0, 4),
        variables=st.none() | st.dictionaries(st.sampled_from("xy"), st.integers(0, 2)),
        key=st.none() | st.sampled_from("kl"),
    )
    def remember(
        self, name: str, number: int, variables: dict[str, int] | None, key: str | None
    ) -> None:
        elements = [self.element() for _ in range(number)]
        self.db.memory(name).remember(*elements, variables=variables, key=key)
        if (elements or variables is not None) and (name, key) not in self.keys:
            model = self.models.setdefault(name, Model())
            model.elements += elements
            model.variables = model.variables if variables is None else variables
            if key is not None:
                self.keys.add((name, key))

    @initialize()
    def fill(self) -> None:
        for name in NAMES:
            self.remember(name, 6, {"x": 0}, None)

    @rule(name=name, number=st.integers(1, 2))
    def insert_at_the_newest_time(self, name: str, number: int) -> None:
        for element in [self.element() for _ in range(number)] if name in self.models else []:
            self.sql.execute(INSERT, (name, element.to_json()))
            self.models[name].elements.append(element)

    @rule(name=name, variables=st.dictionaries(st.sampled_from("yz"), st.integers(5, 6)))
    def maintenance(self, name: str, variables: dict[str, int]) -> None:
        self.db.memory(name).maintenance(variables=variables)
        model = self.models.setdefault(name, Model())
        model.variables = variables | model.variables

    @rule(name=name, what=st.sampled_from(EDITS), position=position, by_cursor=st.booleans())
    def edit(self, name: str, what: str, position: int, *, by_cursor: bool) -> None:
        getattr(self, f"_{what}")(name, position, by_cursor=by_cursor)

    def _pop(self, name: str, position: int, *, by_cursor: bool) -> None:
        popped = self.db.memory(name).pop(position + 1)
        assert list(popped) == self.remove_from(name, slice(-position - 1, None))

    def _undo(self, name: str, position: int, *, by_cursor: bool) -> None:
        undone = self.db.memory(name).undo()
        start = (self.model(name).inputs() or [len(self.model(name).elements)])[-1]
        assert list(undone) == self.remove_from(name, slice(start, None))

    def _truncate(self, name: str, position: int, *, by_cursor: bool) -> None:
        place = self.place(name, position, by_cursor=by_cursor)
        removed = self.db.memory(name).truncate(place)
        assert removed == len(self.remove_from(name, slice(position, None)))

    def _replace(self, name: str, position: int, *, by_cursor: bool) -> None:
        place, new = self.place(name, position, by_cursor=by_cursor), self.element()
        if position >= len(self.model(name).elements):
            with pytest.raises(ValueError, match="has no element"):
                self.db.memory(name).replace(place, new)
        else:
            previous = self.db.memory(name).replace(place, new)
            assert [previous] == self.remove_from(name, slice(position, position + 1))
            self.model(name).elements.insert(position, new)

    def _remove_element(self, name: str, position: int, *, by_cursor: bool) -> None:
        place = self.place(name, position, by_cursor=by_cursor)
        if position >= len(self.model(name).elements):
            with pytest.raises(ValueError, match="has no element"):
                self.db.memory(name).remove_element(place)
        else:
            removed = self.db.memory(name).remove_element(place)
            assert [removed] == self.remove_from(name, slice(position, position + 1))
            if isinstance(place, str) and "(" not in place:
                with pytest.raises(ValueError, match="has no element"):
                    self.db.memory(name).replace(place, removed)

    def _clear(self, name: str, position: int, *, by_cursor: bool) -> None:
        removed = self.db.memory(name).clear(keep_variables=by_cursor)
        assert removed == len(self.remove_from(name, slice(None)))
        if not by_cursor:
            self.model(name).variables = {}

    @rule(name=name)
    def remove(self, name: str) -> None:
        assert self.db.memory(name).remove() == (self.models.pop(name, None) is not None)

    @rule(name=name, new=name, position=st.none() | position)
    def fork(self, name: str, new: str, position: int | None) -> None:
        elements = self.model(name).elements
        if name not in self.models:
            with pytest.raises(MemoryMissing):
                self.db.memory(name).fork(new, position=position)
        elif position is not None and position >= len(elements):
            with pytest.raises(ValueError, match="out of range"):
                self.db.memory(name).fork(new, position=position)
        elif new in self.models:
            with pytest.raises(MemoryExists):
                self.db.memory(name).fork(new, position=position)
        else:
            copy = self.db.memory(name).fork(new, position=position)
            end = None if position is None else position + 1
            # The variables of an earlier time are not modelled.
            variables = self.models[name].variables if end is None else copy.recall().variables
            self.models[new] = Model(elements[:end], dict(variables or {}))

    @rule(name=name, new=name)
    def rename(self, name: str, new: str) -> None:
        if name not in self.models or new in self.models:
            with pytest.raises(MemoryExists if name in self.models else MemoryMissing):
                self.db.memory(name).rename(new)
        else:
            self.db.memory(name).rename(new)
            self.models[new] = self.models.pop(name)
            self.kept = [(new if kept == name else kept, text) for kept, text in self.kept]

    @rule(name=name)
    def roll_back(self, name: str) -> None:
        memory = self.db.memory(name)
        with suppress(Undone), self.db.transaction():
            memory.remember(self.element(), variables={"undone": 1}, key="k")
            memory.pop(2)
            memory.remember(self.element())
            raise Undone

    @rule(name=name, limit=st.none() | st.integers(1, 4))
    def recall(self, name: str, limit: int | None) -> None:
        recalled = self.db.memory(name).recall(limit=limit)
        model = self.model(name)
        start = max(0, len(model.elements) - (limit or len(model.elements)))
        inputs = model.inputs(start)[:1] or model.inputs()[-1:] or [len(model.elements)]
        assert list(recalled.context) == model.elements[inputs[0] :]
        assert dict(recalled.variables or {}) == model.variables

    @rule(name=name, size=st.integers(1, 3))
    def page(self, name: str, size: int) -> None:
        pages: list[Any] = [self.db.memory(name).elements(size)]
        while pages[0]:
            pages.insert(0, self.db.memory(name).elements(size, before=pages[0][0].cursor))
        found = [stored for page in pages for stored in page]
        assert [stored.element for stored in found] == self.model(name).elements
        assert [stored.position for stored in found] == list(range(len(found)))

    def teardown(self) -> None:
        for name in NAMES:
            self.page(name, 3)
        assert set(self.db.memories.identifiers()) == set(self.models)
        assert sorted(self.sql.execute(KEPT).fetchall()) == sorted(self.kept)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["dsn", "partitioned_dsn"])
def test_memories_behave_like_lists(layout: str, request: pytest.FixtureRequest) -> None:
    dsn = request.getfixturevalue(layout)
    raw = psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor)
    with Client(dsn) as db, raw as sql:
        machine = type("Machine", (Memories,), {"db": db, "sql": sql})
        steps = settings(max_examples=15, stateful_step_count=25)
        run_state_machine_as_test(machine, settings=steps)
