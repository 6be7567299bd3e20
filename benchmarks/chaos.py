"""``python -m benchmarks.chaos [SECONDS]``: mixed writes while everything fails.

Threads and tasks write to a server of their own while sessions are terminated, the server is
restarted and killed, tasks are cancelled, time out, processes are forked, and Ctrl-C is pressed.
Afterwards it checks that no acknowledged write was lost or applied twice, no cancelled write and no
nested transaction that was rolled back was applied, all are in order, no transaction was applied in
part, no caller got an error of another, and none hangs.
"""

import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import warnings
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

import psycopg
from draive import ModelInput, MultimodalContent

from draive_pg import AsyncClient, Client, ConnectionFailed
from draive_pg.embedded import Server

WRITERS = 8  # of each kind
TIMEOUT = 5.0  # of a call
PATIENCE = 60.0  # until a writer that has not ended counts as hanging

chance = random.Random()  # noqa: S311 - not for cryptography


class Write(NamedTuple):
    """A write of a writer to a memory; of several parts in a transaction."""

    memory: str
    writer: str
    number: int
    parts: tuple[str, ...]

    @classmethod
    def of(cls, writer: str, number: int) -> "Write":
        """Return the next write: to a memory of its own or a shared one, alone or in two parts."""
        memory = f"own {writer}" if number % 2 else f"shared {number % 5}"
        return cls(memory, writer, number, ("a", "b") if number % 3 == 0 else ("",))

    def element(self, part: str) -> ModelInput:
        """Return an element that names the write."""
        return ModelInput.of(MultimodalContent.of(f"{self.writer}:{self.number}:{part}"))


@dataclass
class Ledger:
    """What the writers were told, and what went wrong."""

    applied: list[Write] = field(default_factory=list[Write])
    cancelled: list[Write] = field(default_factory=list[Write])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])

    @contextmanager
    def record(self, write: Write, *, interrupted: bool = False) -> Generator[None]:
        """Record the outcome of a write."""
        try:
            yield
        except ConnectionFailed as error:
            self.outcomes[type(error).__name__] += 1
        except (asyncio.CancelledError, TimeoutError) as error:
            self._expect(expected=interrupted, write=write, error=error)
            self.cancelled.append(write)
        except KeyboardInterrupt as error:  # it may have come after the write
            self._expect(expected=interrupted, write=write, error=error)
        except Exception as error:
            self._expect(expected=False, write=write, error=error)
        else:
            self.applied.append(write)
            self.outcomes["applied"] += 1

    def _expect(self, *, expected: bool, write: Write, error: BaseException) -> None:
        self.outcomes[type(error).__name__] += 1
        if not expected:
            self.violations.append(f"{write} got {error!r}")


class Unknown(logging.Handler):
    """Counts the cancelled writes whose outcome is unknown."""

    writes = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record."""
        self.writes += "may have been applied" in record.getMessage()


class Undone(Exception):
    """Rolls back a nested transaction."""


def write(db: Client, write: Write) -> None:
    """Remember the parts of a write, all or none, and undo a nested one after each."""
    if len(write.parts) == 1:
        db.memory(write.memory).remember(write.element(""))
        return
    with db.transaction():
        for part in write.parts:
            db.memory(write.memory).remember(write.element(part))
            with suppress(Undone), db.transaction():
                db.memory(write.memory).remember(write.element("undone"))
                raise Undone


async def write_async(db: AsyncClient, write: Write) -> None:
    """Async twin of `write`."""
    if len(write.parts) == 1:
        await db.memory(write.memory).remember(write.element(""))
        return
    async with db.transaction():
        for part in write.parts:
            await db.memory(write.memory).remember(write.element(part))
            with suppress(Undone):
                async with db.transaction():
                    await db.memory(write.memory).remember(write.element("undone"))
                    raise Undone


class Run:
    """One run against one server."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._server = server
        self._dsn = server.uri()
        self._end = monotonic() + seconds
        self._armed = False  # whether Ctrl-C may be pressed
        self.ledger = Ledger()

    def run(self) -> None:
        """Write until the end, and wait for all writers."""
        targets = [lambda name=f"thread {n}": self._thread(name) for n in range(WRITERS)]
        targets += [lambda: asyncio.run(self._tasks()), self._forking_thread]
        targets += [self._break_things, self._press_ctrl_c]
        threads = [threading.Thread(target=target, daemon=True) for target in targets]
        self._threads_db = Client(self._dsn, timeout=TIMEOUT)
        for thread in threads:
            thread.start()
        self._main_thread()
        for thread in threads:
            thread.join(max(0.0, self._end + PATIENCE - monotonic()))
        hanging = sum(thread.is_alive() for thread in threads)
        if hanging:
            self.ledger.violations.append(f"{hanging} threads hang")
        self._threads_db.close()

    def _running(self) -> bool:
        return monotonic() < self._end

    def _thread(self, name: str) -> None:
        number = 0
        while self._running():
            number += 1
            each = Write.of(name, number)
            with self.ledger.record(each):
                write(self._threads_db, each)

    def _forking_thread(self) -> None:
        """Write in transactions in which processes are forked that write, too."""
        number, db = 0, self._threads_db
        while self._running():
            number += 3
            each = Write.of("forking", number)
            with self.ledger.record(each), db.transaction():
                for part in each.parts:
                    db.memory(each.memory).remember(each.element(part))
                    if (child := os.fork()) == 0:
                        failed = True
                        try:
                            with suppress(ConnectionFailed):
                                write(db, Write("forked", f"child {os.getpid()}", number, ("",)))
                            failed = False
                        finally:
                            os._exit(failed)
                    if os.waitpid(child, 0)[1]:
                        self.ledger.violations.append("a forked process failed")
            self.ledger.outcomes["(forks)"] += 1

    def _main_thread(self) -> None:
        """Write while Ctrl-C is pressed."""
        number = 0
        db = Client(self._dsn, timeout=TIMEOUT, max_size=1)
        while self._running():
            number += 1
            each = Write.of("main", number)
            try:
                with self.ledger.record(each, interrupted=True):
                    self._armed = True
                    write(db, each)
                self._armed = False
                sleep(0.002)  # for an interrupt that is on its way
            except KeyboardInterrupt:
                self._armed = False
        db.close()

    async def _tasks(self) -> None:
        async with AsyncClient(self._dsn, timeout=TIMEOUT) as db:
            writers = [self._task(db, f"task {number}") for number in range(WRITERS)]
            writers += [self._cancelled_task(db, f"cancelled {n}") for n in range(WRITERS)]
            await asyncio.gather(*writers)

    async def _task(self, db: AsyncClient, name: str) -> None:
        number = 0
        while self._running():
            number += 1
            each = Write.of(name, number)
            with self.ledger.record(each):
                await write_async(db, each)
            await asyncio.sleep(0)

    async def _cancelled_task(self, db: AsyncClient, name: str) -> None:
        async def attempt(each: Write, seconds: float) -> None:
            with self.ledger.record(each, interrupted=True):
                async with asyncio.timeout(seconds):
                    await write_async(db, each)

        number = 0
        while self._running():
            number += 1
            task = asyncio.create_task(
                attempt(Write.of(name, number), chance.choice((0.02, 0.05, TIMEOUT)))
            )
            await asyncio.sleep(chance.random() * 0.1)
            for _ in range(chance.randint(1, 4)):
                task.cancel()
                await asyncio.sleep(chance.choice((0, 0.001)))
            await asyncio.wait([task])

    def _press_ctrl_c(self) -> None:
        main = threading.main_thread().ident or 0
        while self._running():
            sleep(chance.random() * 0.1)
            for _ in range(chance.randint(1, 3)):
                if self._armed:
                    signal.pthread_kill(main, signal.SIGINT)
                sleep(0.001)

    def _break_things(self) -> None:
        """Terminate sessions all the time, and restart or kill the server every few seconds."""
        outages = 0
        while self._running():
            outages += 1
            for _ in range(10):
                with suppress(psycopg.Error), psycopg.connect(self._dsn, autocommit=True) as sql:
                    sql.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'draive_pg' AND random() < 0.4"
                    )
                self.ledger.outcomes["(terminations)"] += 1
                sleep(chance.random() * 0.3)
            self.ledger.outcomes["(outages)"] += 1
            pid = int((self._server.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)[outages % 3])
            while self._accepts_connections():
                sleep(0.02)
            self._server.start()

    def _accepts_connections(self) -> bool:
        try:
            psycopg.connect(self._dsn).close()
        except psycopg.Error:
            return False
        return True

    def check(self, unknown: int) -> None:
        """Compare what was told with what is stored.

        Parameters
        ----------
        unknown : int
            How many cancelled writes got no answer: so many may have been applied.
        """
        ledger = self.ledger
        stored: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        with Client(self._dsn) as db:
            for memory in db.memories.identifiers():
                for text in db.memory(memory).log().text:
                    writer, number, part = text.split(":")
                    stored[memory, writer].append((int(number), part))
        for key, found in stored.items():
            if found != sorted(set(found)):
                ledger.violations.append(f"{key}: out of order or twice")
            if any(part == "undone" for _, part in found):
                ledger.violations.append(f"{key}: a nested transaction was not rolled back")
            parts = Counter(number for number, part in found if part)
            if any(count % 2 for count in parts.values()):
                ledger.violations.append(f"{key}: a transaction was applied in part")
        present = {(key, number) for key, found in stored.items() for number, _ in found}
        lost = [each for each in ledger.applied if (each[:2], each.number) not in present]
        undead = [each for each in ledger.cancelled if (each[:2], each.number) in present]
        ledger.violations += [f"lost: {each}" for each in lost]
        if len(undead) > unknown:
            ledger.violations += [f"cancelled, and applied: {each}" for each in undead]
        ledger.outcomes["(cancelled without an answer)"] = unknown


def main() -> int:
    """Run for the seconds of the first argument, print a summary, and return the exit code."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
    unknown = Unknown()
    logging.getLogger("draive_pg").addHandler(unknown)
    with tempfile.TemporaryDirectory(prefix="draive-pg-chaos-") as top:
        Path(top).chmod(0o755)  # for the user that root's server runs as
        server = Server(Path(top) / "data", settings={"fsync": "off"}).start()
        try:
            with Client(server.uri()) as db:
                db.setup()
            run = Run(server, seconds)
            run.run()
            run.check(unknown.writes)
        finally:
            server.stop(force=True)
    counts = {**dict(sorted(run.ledger.outcomes.items())), "violations": len(run.ledger.violations)}
    lines = [f"{count:8,} {outcome}" for outcome, count in counts.items()]
    sys.stdout.write("\n".join([*lines, *run.ledger.violations[:20], ""]))
    return 1 if run.ledger.violations else 0


if __name__ == "__main__":
    sys.exit(main())
