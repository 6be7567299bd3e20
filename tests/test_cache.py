"""The cache of both clients, and its class."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from draive import Configuration, InstructionsDeclaration

from draive_pg import AsyncClient, Client, ConnectionFailed, PermissionDenied, TimedOut
from draive_pg.database.cache import RETRY, Cache, LeaderInterrupted
from draive_pg.operations.operation import Key
from tests.conftest import Connect
from tests.fault_server import limited
from tests.server import wait_for_lock_waiters


class Limits(Configuration):
    tokens: int = 1


def test_changes_by_other_processes_are_visible_after_the_expiration(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    patient, hasty = connect(dsn), connect(dsn, cache_limit=0)
    for db in (patient, hasty):
        assert db.configurations.load_raw("limits") is None
        assert db.configurations.configurations() == ()
    sql.execute("INSERT INTO configurations VALUES ('limits', '{\"tokens\": 2}')")
    assert patient.configurations.load_raw("limits") is None
    assert patient.configurations.configurations() == ()
    assert hasty.configurations.load_raw("limits") == {"tokens": 2}
    assert hasty.configurations.configurations() == ("limits",)


def test_a_cached_value_expires(connect: Connect, dsn: str, sql: psycopg.Connection) -> None:
    db = connect(dsn, cache_expiration=0.05)
    assert db.configurations.load_raw("limits") is None
    sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
    deadline = time.monotonic() + 20
    while db.configurations.load_raw("limits") is None:
        assert time.monotonic() < deadline


def test_changing_a_returned_value_does_not_change_the_cache(db: Client) -> None:
    db.configurations.define("limits", {"a": [1], "b": {"c": 1}})
    loaded = db.configurations.load_raw("limits")
    loaded["a"].append(2)
    loaded["b"]["c"] = 2
    loaded.clear()
    assert db.configurations.load_raw("limits") == {"a": [1], "b": {"c": 1}}


class Open(Configuration):
    """A configuration with mutable values."""

    anything: Any = None
    nested: Mapping[str, Any] = {}
    several: Sequence[Any] = ()


def test_changing_nested_values_does_not_change_the_cache(db: Client) -> None:
    db.configurations.define("Open", {"anything": {"a": 1}, "nested": {"b": {"c": 2}}})
    for _ in range(2):
        loaded = db.configurations.load(Open)
        assert loaded is not None
        assert (loaded.anything, loaded.nested) == ({"a": 1}, {"b": {"c": 2}})
        loaded.anything["a"] = loaded.nested["b"]["c"] = 999
    declared = InstructionsDeclaration.of("greeting", meta={"a": {"b": [{"c": 1}]}})
    db.instructions.define(declared, content="Hello")
    for _ in range(2):
        (listed,) = db.instructions.available_instructions()
        assert listed == declared
        changed: Any = listed.meta
        changed["a"]["b"][0]["c"] = 999


def test_an_immutable_value_is_decoded_once(db: Client) -> None:
    db.configurations.define(Limits(tokens=5))
    assert db.configurations.load(Limits) is db.configurations.load(Limits)
    db.instructions.define("greeting", content="Hello")
    first, second = (db.instructions.available_instructions()[0] for _ in range(2))
    assert first is second


def test_a_change_evicts_only_the_changed_document(db: Client, sql: psycopg.Connection) -> None:
    db.instructions.define("chat", content="1")
    db.instructions.define("chat-v2", content="2")
    db.configurations.define("chat", {"n": 1})
    assert db.instructions.load("chat-v2") == "2"
    assert db.configurations.load_raw("chat") == {"n": 1}
    sql.execute("DELETE FROM instructions WHERE name = 'chat-v2'")
    sql.execute("DELETE FROM configurations")
    db.instructions.define("chat", content="3")
    assert db.instructions.load("chat-v2") == "2"
    assert db.configurations.load_raw("chat") == {"n": 1}
    assert [found.name for found in db.instructions.available_instructions()] == ["chat"]


def test_a_change_evicts_all_variants_of_a_document(db: Client) -> None:
    assert db.configurations.load(Limits, default=Limits(tokens=5)) == Limits(tokens=5)
    assert db.configurations.load_raw("Limits") is None
    db.configurations.define(Limits(tokens=7))
    assert db.configurations.load(Limits) == Limits(tokens=7)
    assert db.configurations.load_raw("Limits") == {"tokens": 7}
    db.configurations.remove("Limits")
    assert db.configurations.load(Limits) is None
    assert db.configurations.load_raw("Limits") is None


def test_a_listing_does_not_evict_documents(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    db = connect(dsn, cache_limit=1)
    assert db.configurations.load_raw("limits") is None
    assert db.configurations.configurations() == ()
    assert db.instructions.available_instructions() == ()
    sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
    assert db.configurations.load_raw("limits") is None
    db.configurations.load_raw("other")
    assert db.configurations.load_raw("limits") == {}


def test_loads_of_old_revisions_do_not_evict_current_ones(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    db = connect(dsn, cache_limit=2)
    for number in range(5):
        db.instructions.define("greeting", content=f"revision {number + 1}")
    db.instructions.label("greeting", "production")
    assert db.instructions.load("greeting", label="production") == "revision 5"
    assert db.instructions.load("greeting") == "revision 5"
    history = db.instructions.history("greeting")
    for each in history:
        assert db.instructions.load("greeting", revision=each.revision) == each.content
        assert db.instructions.load("greeting", revision=each) == each.content
        assert db.instructions.load("greeting", as_of=each.created) == each.content
    sql.execute("UPDATE instructions SET content = 'changed'")
    assert db.instructions.load("greeting") == "revision 5"
    assert db.instructions.load("greeting", label="production") == "revision 5"
    assert db.instructions.load("greeting", revision=history[-1]) == "revision 1"
    assert db.instructions.load("greeting", revision=5) == "changed"
    db.instructions.define("greeting", content="new")
    assert db.instructions.load("greeting", revision=1) == "changed"


@pytest.mark.parametrize("end", ["rolled back", "committed"])
def test_promotion_and_release_invalidate_cache_unless_rolled_back(db: Client, end: str) -> None:
    db.instructions.define("greeting", content="old")
    db.configurations.define("limits", {"tokens": 1})
    for subject, name in ((db.instructions, "greeting"), (db.configurations, "limits")):
        subject.label(name, "staging")
        subject.label(name, "production")
    db.instructions.define("greeting", content="new")
    db.configurations.define("limits", {"tokens": 2})
    db.instructions.label("greeting", "staging")
    db.configurations.label("limits", "staging")

    def served() -> tuple[object, ...]:
        return (
            db.instructions.load("greeting", label="production"),
            db.configurations.load_raw("limits", label="production"),
            db.instructions.resolve("greeting"),
            db.configurations.load_raw("limits"),
        )

    before = ("old", {"tokens": 1}, "new", {"tokens": 2})
    after = ("new", {"tokens": 2}, "newest", {"tokens": 3})
    assert served() == before
    try:
        with db.transaction():
            db.instructions.promote("staging", "production")
            db.configurations.promote("staging", "production")
            db.release(prompts={"greeting": "newest"}, configurations={"limits": {"tokens": 3}})
            assert served() == after
            if end == "rolled back":
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert served() == before
    else:
        assert served() == after


def test_an_error_is_not_cached(connect: Connect, dsn: str, sql: psycopg.Connection) -> None:
    db = connect(dsn)
    sql.execute("ALTER TABLE configurations RENAME TO gone")
    with pytest.raises(Exception, match="42P01"):
        db.configurations.load_raw("limits")
    sql.execute("ALTER TABLE gone RENAME TO configurations")
    assert db.configurations.load_raw("limits") is None


def test_concurrent_uncached_loads_of_threads_send_one_query(
    dsn: str, sql: psycopg.Connection
) -> None:
    with Client(dsn) as db, ThreadPoolExecutor(50) as pool:
        db.configurations.define("limits", {"a": 1})
        sql.execute("BEGIN")
        sql.execute("LOCK TABLE configurations")  # no load completes before all have started
        loads = [pool.submit(db.configurations.load_raw, "limits") for _ in range(50)]
        assert wait_for_lock_waiters(dsn, at_least=1) == 1
        sql.execute("COMMIT")
        assert [load.result(30) for load in loads] == [{"a": 1}] * 50


def test_concurrent_uncached_loads_of_tasks_send_one_query(
    dsn: str, sql: psycopg.Connection
) -> None:
    async def load() -> None:
        async with AsyncClient(dsn) as db:
            await db.configurations.define("limits", {"a": 1})
            sql.execute("BEGIN")
            sql.execute("LOCK TABLE configurations")
            loads = [asyncio.create_task(db.configurations.load_raw("limits")) for _ in range(100)]
            await asyncio.sleep(0)
            assert await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1) == 1
            loads[1].cancel()  # a waiter; the others still get the result
            sql.execute("COMMIT")
            done = await asyncio.gather(*loads, return_exceptions=True)
            assert isinstance(done.pop(1), asyncio.CancelledError)
            assert done == [{"a": 1}] * 99

    asyncio.run(load())


def test_another_task_queries_if_the_leader_is_cancelled(dsn: str, sql: psycopg.Connection) -> None:
    async def load() -> None:
        async with AsyncClient(dsn) as db:
            await db.configurations.define("limits", {"a": 1})
            sql.execute("BEGIN")
            sql.execute("LOCK TABLE configurations")
            first = asyncio.create_task(db.configurations.load_raw("limits"))
            await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1)
            second = asyncio.create_task(db.configurations.load_raw("limits"))
            await asyncio.sleep(0)
            first.cancel()
            sql.execute("COMMIT")
            assert await second == {"a": 1}
            with pytest.raises(asyncio.CancelledError):
                await first

    asyncio.run(load())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_wait_for_leader_is_limited_by_timeout(dsn: str, kind: type) -> None:
    reading, timed_out = threading.Event(), threading.Event()

    def block(_: object) -> None:
        reading.set()
        timed_out.wait(30)

    def load() -> str | None:
        loaded = db.instructions.load("greeting")
        return asyncio.run(loaded) if kind is AsyncClient else loaded

    with Client(dsn) as other:
        other.instructions.define("greeting", content="Hello")
    db: Any = kind(dsn, on_operation=block)
    with ThreadPoolExecutor(1) as pool:
        leading = pool.submit(load)
        reading.wait(30)
        with limited(db, 0.2), pytest.raises(TimedOut, match=r"did not get it within 0\.2 s"):
            load()
        timed_out.set()
        assert leading.result(30) == "Hello"
    asyncio.run(db.close()) if kind is AsyncClient else db.close()


def test_on_operation_can_load_the_document_that_is_being_loaded(dsn: str) -> None:
    loaded: list[str | None] = []

    def load(_: object) -> None:
        if not loaded:
            loaded.append(None)
            loaded[0] = db.instructions.load("greeting")

    with Client(dsn, timeout=5.0) as other, Client(dsn, timeout=5.0, on_operation=load) as db:
        other.instructions.define("greeting", content="Hello")
        assert db.instructions.load("greeting") == "Hello"
    assert loaded == ["Hello"]


def test_transaction_can_end_while_its_thread_uses_the_cache(dsn: str) -> None:
    """As when the garbage collector closes the generator of an abandoned transaction."""

    def end() -> None:
        block = db.transaction()
        block.__enter__()
        db.instructions.define("greeting", content="Hello")
        with vars(db._database._cache)["_lock"]:
            block.__exit__(None, None, None)

    with Client(dsn) as db:
        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()


def test_a_read_that_began_before_a_change_is_not_cached(dsn: str, sql: psycopg.Connection) -> None:
    with Client(dsn) as db, ThreadPoolExecutor(1) as pool:
        db.configurations.define("limits", {"a": 1})
        sql.execute("BEGIN")
        sql.execute("LOCK TABLE configurations")
        old = pool.submit(db.configurations.load_raw, "limits")
        wait_for_lock_waiters(dsn, at_least=1)
        db._database._cache.evict(Key("configurations", "limits"))
        sql.execute("COMMIT")
        assert old.result(30) == {"a": 1}
        sql.execute("UPDATE configurations SET content = '{\"a\": 2}'")
        assert db.configurations.load_raw("limits") == {"a": 2}


def test_waiters_get_the_error_of_the_leader() -> None:
    cache, key = Cache(4, 60.0), Key("t", "s")
    entry, leads = cache.join(key)
    waiter, waits = cache.join(key)
    assert (leads, waits, waiter) == (True, False, entry)
    with pytest.raises(ConnectionFailed), cache.lead(key, entry):
        raise ConnectionFailed("gone")
    with pytest.raises(ConnectionFailed):
        waiter.result(0)
    assert cache.join(key)[1] is True


def test_waiters_get_an_error_if_the_leader_is_interrupted() -> None:
    cache, key = Cache(4, 60.0), Key("t", "s")
    entry, _ = cache.join(key)
    with pytest.raises(KeyboardInterrupt), cache.lead(key, entry):
        raise KeyboardInterrupt
    with pytest.raises(LeaderInterrupted):
        entry.result(0)


def test_an_interrupt_after_the_result_keeps_the_result() -> None:
    cache = Cache(4, 60.0)
    entry, _ = cache.join(Key("t", "a"))
    with pytest.raises(KeyboardInterrupt), cache.lead(Key("t", "a"), entry):
        entry.set_result("answer")
        raise KeyboardInterrupt
    assert entry.result() == "answer"


def test_outdated_value_is_served_if_server_is_unreachable() -> None:
    cache, key = Cache(4, 60.0), Key("t", "s")
    entry, _ = cache.join(key)
    entry.set_result("old")
    for changed in ((), (Key("t"), key)):
        cache.outdate(*changed)
        entry, leads = cache.join(key)
        assert leads
        cache.outdate()  # while it is read
        with cache.lead(key, entry):
            raise ConnectionFailed("gone")
        assert entry.result() == "old"
    assert cache.join(key)[1] is False  # not queried again so soon
    cache.outdate()
    entry, leads = cache.join(key)
    assert leads
    with pytest.raises(KeyboardInterrupt), cache.lead(key, entry):
        raise KeyboardInterrupt
    entry, _ = cache.join(key)
    cache.evict(key)
    with pytest.raises(ConnectionFailed), cache.lead(key, entry):
        raise ConnectionFailed("gone")
    entry, _ = cache.join(key)
    with cache.lead(key, entry):
        entry.set_result("new")
    assert cache.join(key) == (entry, False)


def test_outdated_value_expires() -> None:
    cache, key = Cache(4, 0.01), Key("t", "s")
    entry, _ = cache.join(key)
    entry.set_result("old")
    cache.outdate()
    time.sleep(0.02)
    entry, _ = cache.join(key)
    with pytest.raises(ConnectionFailed), cache.lead(key, entry):
        raise ConnectionFailed("gone")


def test_expired_value_is_served_during_an_outage(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = set_clock(monkeypatch)
    cache, key = Cache(4, 10.0, 60.0), Key("instructions", "greeting")
    entry, _ = cache.join(key)
    entry.set_result("old")
    now[0] = 11.0
    for _ in range(2):  # at the second attempt, the warning is not repeated
        entry, leads = cache.join(key)
        assert leads
        waiter, _ = cache.join(key)
        with cache.lead(key, entry):
            raise ConnectionFailed("gone")
        assert (entry.result(), entry.stale, waiter.result()) == ("old", True, "old")
        known, leads = cache.join(key)  # without another query
        assert (known.result(), known.stale, leads) == ("old", True, False)
        now[0] += RETRY
    assert [each.message for each in caplog.records] == [
        "serving instructions 'greeting' as read 11 s ago, because the server does not answer: gone"
    ]
    now[0] = 71.0
    entry, _ = cache.join(key)
    with pytest.raises(ConnectionFailed), cache.lead(key, entry):
        raise ConnectionFailed("gone")


def test_expired_value_is_not_served_if_the_server_answers_with_an_error() -> None:
    cache, key = Cache(4, 0.001, 60.0), Key("t", "s")
    cache.join(key)[0].set_result("old")
    time.sleep(0.002)
    entry, _ = cache.join(key)
    with pytest.raises(PermissionDenied), cache.lead(key, entry):
        raise PermissionDenied("no", sqlstate="42501")


def test_value_is_refreshed_before_it_expires_while_others_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = set_clock(monkeypatch)
    cache, key = Cache(4, 10.0), Key("t", "s")
    first, _ = cache.join(key)
    first.set_result("old")
    now[0] = 8.5
    entry, leads = cache.join(key)
    assert leads
    assert cache.join(key) == (first, False)
    cache.outdate()  # a known change is waited for
    changed, leads = cache.join(key)
    assert leads
    assert cache.join(key) == (changed, False)
    with cache.lead(key, changed):
        changed.set_result("new")
    assert cache.join(key)[0].result() == "new"
    with cache.lead(key, entry):
        entry.set_result("between")
    assert cache.join(key)[0].result() == "new"


def test_failed_write_keeps_the_last_known_value() -> None:
    cache, key = Cache(4, 60.0), Key("t", "s")
    cache.join(key)[0].set_result("old")
    cache.invalidate((key,), failed=True)
    entry, leads = cache.join(key)
    assert leads
    with cache.lead(key, entry):
        raise ConnectionFailed("gone")
    assert entry.result() == "old"
    cache.invalidate((key,), failed=False)
    assert cache.join(key)[1] is True


def set_clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the cache's clock by a list of one number."""
    now = [0.0]
    monkeypatch.setattr("draive_pg.database.cache.monotonic", lambda: now[0])
    return now


def test_the_least_recently_used_entry_is_evicted_first() -> None:
    cache = Cache(2, 60.0)
    for subject in ("a", "b", "a", "c"):
        cache.join(Key("t", subject))
    assert cache.join(Key("t", "a"))[1] is False
    assert cache.join(Key("t", "b"))[1] is True


def test_concurrent_eviction_causes_no_errors() -> None:
    cache = Cache(8, 60.0)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(2000):
                key = Key("t", str((number + seed) % 12))
                entry, leads = cache.join(key)
                if leads:
                    with cache.lead(key, entry):
                        entry.set_result(number)
                elif number % 7 == 0:
                    cache.evict(key)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


@pytest.mark.parametrize(
    "options",
    [
        {"cache_limit": -1},
        {"cache_limit": 1.5},
        {"cache_limit": True},
        {"cache_expiration": 0},
        {"cache_expiration": -1.0},
        {"cache_expiration": "10"},
        {"cache_expiration": float("nan")},
        {"stale_if_error": -1},
        {"stale_if_error": float("nan")},
        {"max_size": 0},
        {"max_size": None},
        {"schema": ""},
        {"schema": "x" * 64},
        {"schema": "a\0"},
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_invalid_options_are_refused(kind: type, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(**options)
