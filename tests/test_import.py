"""Chat logs into memories, through both clients."""

import psycopg
import pytest

from draive_pg import ChatInvalid, Client, MemoryExists
from tests.elements import asked, texts

CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
]


def test_a_chat_becomes_a_memory_that_can_be_recalled(db: Client) -> None:
    assert db.memories.import_chat("chat", iter(CHAT)) == 2
    recalled = db.memory("chat").recall()
    assert texts(recalled.context) == ["Hi", "Hello"]
    assert recalled.variables == {"system": "Be kind."}


def test_a_chat_is_not_imported_twice(db: Client) -> None:
    db.memories.import_chat("chat", CHAT)
    with pytest.raises(MemoryExists, match="'chat': it already has elements"):
        db.memories.import_chat("chat", CHAT)
    assert len(db.memory("chat").log()) == 2
    assert len(db.frames.variables()) == 1


def test_a_chat_is_appended_on_request(db: Client) -> None:
    db.memories.import_chat("chat", CHAT)
    assert db.memories.import_chat("chat", CHAT, append=True) == 2
    assert texts(db.memory("chat").recall().context) == ["Hi", "Hello"] * 2


def test_a_memory_without_elements_takes_a_chat(db: Client) -> None:
    db.memory("chat").maintenance(variables={"a": 1})
    assert db.memories.import_chat("chat", CHAT) == 2
    assert db.memory("chat").recall().variables == {"system": "Be kind."}


def test_of_two_imports_at_once_one_is_refused(db: Client, sql: psycopg.Connection) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def write(dsn: str) -> int:
        with Client(dsn) as own:
            try:
                return own.memories.import_chat("chat", CHAT)
            except MemoryExists:
                return 0

    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(write, [sql.info.dsn] * 6))
    assert sorted(counts) == [0] * 5 + [2]
    assert len(db.memory("chat").log()) == 2


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"role": "poet", "content": "x"}, "message 4"),
        ({"role": "user", "content": "a\0b"}, r"^message 4 \(user\)\.blocks.*a NUL character"),
        ({"role": "user", "content": "\ud800"}, r"^message 4 \(user\).*a lone surrogate"),
        ({"role": "tool", "tool_call_id": "x", "content": "y"}, r"^message 4 \(tool\)"),
        (
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "function": {"name": "f", "arguments": '{"a": "\\u0000"}'}}
                ],
            },
            r"^message 4 \(assistant\)\.blocks.*arguments\.a contains a NUL",
        ),
    ],
)
def test_a_chat_that_cannot_be_kept_is_refused_whole(
    db: Client, message: dict[str, object], says: str
) -> None:
    with pytest.raises(ChatInvalid, match=says):
        db.memories.import_chat("chat", [*CHAT, message])
    assert db.memories.identifiers() == ()


@pytest.mark.parametrize("depth", [300, 1_000, 5_000, 10_000, 100_000])
def test_arguments_nested_too_deep_are_refused(db: Client, depth: int) -> None:
    function = {"name": "f", "arguments": f'{{"a": {"[" * depth}{"]" * depth}}}'}
    message = {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}
    with pytest.raises(ChatInvalid, match=r"^message 4 \(assistant\)[^\n]*$"):
        db.memories.import_chat("chat", [*CHAT, message])
    assert db.memories.identifiers() == ()


def test_an_empty_chat_is_refused(db: Client) -> None:
    with pytest.raises(ChatInvalid, match="no messages"):
        db.memories.import_chat("chat", [])
    db.memory("other").remember(asked("q"))
    assert db.memories.identifiers() == ("other",)
