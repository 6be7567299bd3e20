"""The command line: setup, import, export, errors, output and exit codes."""

import json
import os
import pty
import re
import signal
import socket
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from psycopg.conninfo import conninfo_to_dict

from draive_pg import Client, __version__
from draive_pg.cli import app
from draive_pg.lines.line import LINE_89
from draive_pg.operations.admin.migrations import migrations_for
from tests.cli_runner import Shell, assert_one_line_error, start_process

# --- Chat logs


def messages_of(*texts: str) -> list[dict[str, str]]:
    """Return messages with the texts of user and assistant in turn."""
    return [
        {"role": "assistant" if number % 2 else "user", "content": text}
        for number, text in enumerate(texts)
    ]


def chat(identifier: str, *texts: str) -> dict[str, Any]:
    return {"id": identifier, "messages": messages_of(*(texts or ("Hi", "Hello")))}


def lines(path: Path, *values: object) -> Path:
    """Write a file of JSON Lines; a str is written as it is."""
    texts = (value if isinstance(value, str) else json.dumps(value) for value in values)
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def element_counts(dsn: str, schema: str | None = None) -> Mapping[str, int]:
    """Return the number of elements of each memory."""
    with Client(dsn, schema=schema) as db:
        sessions = db.frames.sessions()
        return dict(zip(sessions["identifier"], sessions["elements"], strict=True))


# --- Help and usage


def test_help_and_version_import_neither_pandas_nor_draive() -> None:
    code = """
import sys
from draive_pg.cli import main
heavy = {"pandas", "numpy", "pyarrow", "draive", "haiway", "rich", "tqdm"}
for arguments in "--help", "--version", "import chats --help", "export --help", "demo --help":
    sys.argv[1:] = arguments.split()
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, end.code
    assert not heavy & {*sys.modules}, heavy & {*sys.modules}
"""
    process = start_process(command=("-c", code))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "draive-pg demo" in out
    assert f"draive-pg {__version__}\n" in out


def commands(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield names, command
    for name, member in getattr(command, "commands", {}).items():
        yield from commands(member, *names, name)


def test_every_command_and_option_has_help_and_commands_have_examples(shell: Shell) -> None:
    for names, command in commands(typer.main.get_command(app)):
        done = shell(*names, "--help")
        assert (done.code, done.err) == (0, "")
        assert command.help
        assert all(parameter.help for parameter in command.params if parameter.name != "help")
        assert not re.search(r"<[A-Z]", done.out)  # the name of a type says nothing to users
        if not hasattr(command, "commands"):
            assert f"  draive-pg {' '.join(names)}" in done.out


def test_usage_error_exits_with_code_2(shell: Shell, tmp_path: Path) -> None:
    for arguments in ([], ["nonsense"], ["import"], ["import", "chats"], ["setup", "--nonsense"]):
        done = shell(*arguments)
        assert done.code == 2
        assert "Traceback" not in done.out + done.err


# --- setup


def test_setup_prints_applied_migrations_and_database(shell: Shell, empty_dsn: str) -> None:
    address = f"{empty_dsn} password=secret"
    first = shell("setup", "--dsn", address)
    assert (first.code, first.err) == (0, "")
    assert [line.strip() for line in first.out.splitlines()[1:]] == [
        migration.name for migration in migrations_for(LINE_89)
    ]
    second = shell("setup", "--dsn", address)
    assert (second.code, second.out.count("\n")) == (0, 1)
    assert "up to date" in second.out
    for out in (first.out, second.out):
        assert str(conninfo_to_dict(empty_dsn)["dbname"]) in out
        assert "secret" not in out


def test_setup_uses_dsn_of_environment_and_schema_option(
    shell: Shell, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", empty_dsn)
    done = shell("setup", "--schema", "team_a")
    assert done.code == 0
    assert "schema='team_a'" in done.out
    assert element_counts(empty_dsn, "team_a") == {}


# --- Errors


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ada:secret@127.0.0.1:1/chats",
        "host=127.0.0.1 port=1 user=ada password=secret",
        "postgresql://ada:secret@[half/chats",
        "postgresql://ada:secret%zz@host/chats",
        "postgresql://ada:secret @host/chats",
        "password=secret nonsense=1",
        "secret",
        "postgresql://ada:secret@127.0.0.1:1/chats?sslmode=nonsense",
    ],
)
def test_unusable_dsn_is_one_line_error_without_password(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    file = lines(tmp_path / "logs.jsonl", chat("a"), chat("b"))
    for command in (["setup"], ["import", "chats", file], ["demo"]):
        done = shell(*command, "--dsn", dsn)
        assert_one_line_error(done)
        assert "secret" not in done.err


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:secret@127.0.0.1:1/chats",
        "postgresql://ada:sec/secret@host:1/chats",
        "host=127.0.0.1 password=secret user=ada",
        "password = 'my secret' host=127.0.0.1",
    ],
)
def test_misplaced_dsn_is_usage_error_without_password(shell: Shell, address: str) -> None:
    for command in (["setup", address], ["demo", address], [address], ["setup", f"--{address}"]):
        done = shell(*command)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "secret" not in done.err


def test_missing_database_is_named_without_password(shell: Shell, dsn: str) -> None:
    done = shell("setup", "--dsn", f"{dsn} dbname=not_there password=secret")
    assert_one_line_error(done, "not_there")
    assert "secret" not in done.err


def test_invalid_schema_is_one_line_error(shell: Shell, dsn: str) -> None:
    assert_one_line_error(shell("setup", "--dsn", dsn, "--schema", "x" * 64), "schema", "63")


def test_missing_tables_error_suggests_setup(shell: Shell, empty_dsn: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "logs.jsonl", chat("a"), chat("b"))
    done = shell("import", "chats", file, "--dsn", empty_dsn)
    assert_one_line_error(done, "draive-pg setup")


def test_missing_postgresql_error_suggests_installation(shell: Shell) -> None:
    assert_one_line_error(shell("setup"), "PGBINDIR")


# --- import chats


def test_import_writes_each_conversation_to_a_memory(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    system = {"role": "system", "content": "Be brief."}
    several = lines(tmp_path / "several.jsonl", chat("a"), chat("b", "1", "2", "3"))
    single = lines(tmp_path / "single.json", [system, *messages_of("Hi", "Hello")])
    done = shell("import", "chats", several, single, "--dsn", dsn, "--prefix", "p/")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Imported 3 conversations (7 elements), skipped 0, failed 0, in ")
    assert done.out.count("\n") == 2
    assert "Messages without times: in 3 of them" in done.out
    assert element_counts(dsn) == {"p/a": 2, "p/b": 3, "p/single": 2}
    with Client(dsn) as db:
        recalled = db.memory("p/single").recall()
    assert [element.content.to_str() for element in recalled.context] == ["Hi", "Hello"]
    assert recalled.variables == {"system": "Be brief."}


def test_import_into_schema(shell: Shell, empty_dsn: str, tmp_path: Path) -> None:
    place = ("--dsn", empty_dsn, "--schema", "team_a")
    assert shell("setup", *place).code == 0
    file = lines(tmp_path / "logs.jsonl", chat("a"), chat("b"))
    assert shell("import", "chats", file, *place).code == 0
    assert element_counts(empty_dsn, "team_a") == {"a": 2, "b": 2}


def test_repeated_import_skips_and_append_appends(shell: Shell, dsn: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "logs.jsonl", chat("a"), chat("b"))
    command = ("import", "chats", file, "--dsn", dsn)
    assert "Imported 2 conversations (4 elements), skipped 0" in shell(*command).out
    again = shell(*command)
    assert (again.code, again.err) == (0, "")
    assert "Imported 0 conversations (0 elements), skipped 2" in again.out
    assert element_counts(dsn) == {"a": 2, "b": 2}
    assert "Imported 2 conversations (4 elements), skipped 0" in shell(*command, "--append").out
    assert element_counts(dsn) == {"a": 4, "b": 4}


def test_import_reports_invalid_conversations_and_continues(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    broken = chat("broken", "1", "2", "3")
    broken["messages"][2] = {"role": "wizard", "content": "3"}
    nul = chat("nul", "fine", "not \0 fine")
    file = lines(tmp_path / "logs.jsonl", chat("a"), broken, '{"id": "cut", "mess', nul, chat("b"))
    done = shell("import", "chats", file, "--dsn", dsn)
    assert done.code == 1
    assert "Imported 2 conversations (4 elements), skipped 0, failed 3" in done.out
    wizard, cut, zero = done.err.splitlines()
    for line, parts in (
        (wizard, ("line 2", "message 3", "wizard")),
        (cut, ("line 3", "not JSON")),
        (zero, ("line 4", "NUL")),
    ):
        assert line.startswith("draive-pg: logs.jsonl, ")
        assert all(part in line for part in parts), line
    assert element_counts(dsn) == {"a": 2, "b": 2}


def test_import_reports_unreadable_files_and_continues(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    text, empty = lines(tmp_path / "text.txt", "Dear diary,"), lines(tmp_path / "empty.json", "")
    good = lines(tmp_path / "good.jsonl", chat("a"), chat("b"))
    missing, folder = tmp_path / "missing.json", tmp_path / "folder"
    folder.mkdir()
    done = shell("import", "chats", missing, text, empty, folder, good, "--dsn", dsn)
    assert done.code == 1
    assert "Imported 2 conversations (4 elements), skipped 0, failed 4" in done.out
    for line, name in zip(
        done.err.splitlines(), ("missing.json", "text.txt", "empty.json", "folder"), strict=True
    ):
        assert line.startswith(f"draive-pg: {name}")
    assert element_counts(dsn) == {"a": 2, "b": 2}


def test_conversation_of_two_files_is_imported_once_unless_it_differs(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
    monday, tuesday = (
        lines(tmp_path / day / "logs.jsonl", chat("a"), chat("b", day), chat(day))
        for day in ("monday", "tuesday")
    )
    done = shell("import", "chats", monday, tuesday, "--dsn", dsn)
    assert done.code == 1
    assert "Imported 4 conversations (7 elements), skipped 1, failed 1" in done.out
    assert done.err.count("\n") == 1
    assert "logs.jsonl, line 2: memory 'b' has other elements" in done.err
    appended = shell("import", "chats", monday, tuesday, "--dsn", dsn, "--append")
    assert appended.code == 0
    assert element_counts(dsn) == {"a": 6, "b": 3, "monday": 4, "tuesday": 4}


def test_conversation_with_an_identifier_that_is_too_long_does_not_stop_the_others(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    unwieldy = os.urandom(4000).hex()  # over the size limit of an index row
    file = lines(tmp_path / "logs.jsonl", chat("a"), chat(unwieldy), chat("b"))
    done = shell("import", "chats", file, "--dsn", dsn)
    assert done.code == 1
    assert "Imported 2 conversations (4 elements), skipped 0, failed 1" in done.out
    assert done.err.startswith("draive-pg: logs.jsonl, line 2: ")
    assert done.err.count("\n") == 1
    assert element_counts(dsn) == {"a": 2, "b": 2}


def test_lost_connection_ends_import_and_reports_progress(
    shell: Shell, dsn: str, sql: psycopg.Connection, tmp_path: Path
) -> None:
    sql.execute(
        """
        CREATE FUNCTION end_it() RETURNS TRIGGER LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_terminate_backend(pg_backend_pid());
            RETURN NEW;
        END $$
        """
    )
    sql.execute(
        "CREATE TRIGGER end_it BEFORE INSERT ON memories_elements FOR EACH ROW "
        "WHEN (NEW.identifier = 'b') EXECUTE FUNCTION end_it()"
    )
    whole_batch = chat("a", *map(str, range(2000)))
    file = lines(tmp_path / "logs.jsonl", whole_batch, chat("b"), chat("c"))
    done = shell("import", "chats", file, "--dsn", dsn)
    assert_one_line_error(done, "import logs.jsonl, line 2: memory 'b', and 1 more")
    assert element_counts(dsn) == {"a": 2000}


def test_import_dry_run_checks_all_and_writes_nothing(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    broken = {"id": "broken", "messages": [{"role": "wizard"}]}
    file = lines(tmp_path / "logs.jsonl", chat("a"), broken, chat("nul", "\0"), chat("b"))
    for place in (("--dsn", dsn), ()):  # a dry run needs no database
        done = shell("import", "chats", file, *place, "--dry-run")
        assert done.code == 1
        assert done.out.startswith("Would import 2 conversations (4 elements), skipped 0, failed 2")
        assert [line[:33] for line in done.err.splitlines()] == [
            "draive-pg: logs.jsonl, line 2: me",
            "draive-pg: logs.jsonl, line 3: me",
        ]
    assert element_counts(dsn) == {}


def test_import_of_a_growing_log_adds_its_messages_and_names_what_is_not_read(
    shell: Shell, dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "logs.jsonl"
    command = ("import", "chats", file, "--dsn", dsn)
    lines(file, chat("a", "1"))
    assert shell(*command).code == 0
    lines(file, chat("a", "1", "2") | {"info": {"task": {"deep": 1}}})
    printed = shell(*command).out.splitlines()
    assert "Added new messages to 1 conversation" in printed
    assert "Not read: info (1)" in printed
    assert element_counts(dsn) == {"a": 2}


@pytest.mark.parametrize("option", ["--variables", "--prefx"])
def test_error_of_usage_is_sentences(shell: Shell, option: str) -> None:
    done = shell("memories", "list", option)
    assert done.code == 2
    assert re.fullmatch(r"draive-pg: No such option.*[^.?][.?] See --help\.\n", done.err)


def test_import_limits_names_of_what_is_not_read(shell: Shell, tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"{number:02}.png").touch()
    lines(tmp_path / "logs.jsonl", *(chat(name) | {"info": {"a": {"b": 1}}} for name in "ab"))
    printed = shell("import", "chats", tmp_path, "--dry-run").out.splitlines()[-1]
    assert printed.startswith("Not read: info (2), file 00.png (1), ")
    assert printed.endswith(", file 08.png (1), and 6 more, which --json prints")


def test_import_of_a_missing_file_gives_the_reason(shell: Shell, tmp_path: Path) -> None:
    done = shell("import", "chats", tmp_path / "nowhere.jsonl", "--dry-run")
    assert done.err == "draive-pg: nowhere.jsonl: cannot be read: No such file or directory\n"


def test_import_repairs_messages(shell: Shell, dsn: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "logs.jsonl", chat("nul", "a\0b"))
    command = ("import", "chats", file, "--dsn", dsn, "--on-error")
    assert shell(*command, "skip").code == 0
    repaired = shell(*command, "repair")
    assert repaired.code == 0
    assert repaired.err.startswith("draive-pg: logs.jsonl: message 1 (user): a NUL")
    assert element_counts(dsn) == {"nul": 1}


def test_import_lists_its_formats(shell: Shell) -> None:
    assert "chatgpt" in shell("import", "formats").out
    listed = json.loads(shell("import", "formats", "--json").out)
    assert "chatgpt" in {each["name"] for each in listed}


def test_import_json_prints_counts(shell: Shell, dsn: str, tmp_path: Path) -> None:
    file = lines(tmp_path / "logs.jsonl", chat("a"), "{", chat("b"))
    assert shell("import", "chats", lines(tmp_path / "b.json", [chat("b")]), "--dsn", dsn).code == 0
    done = shell("import", "chats", file, "--dsn", dsn, "--json")
    counts = json.loads(done.out)
    assert counts.pop("seconds") > 0
    assert counts == {
        "conversations": 1,
        "elements": 2,
        "extended": 0,
        "skipped": 1,
        "failed": 1,
        "repaired": 0,
        "ignored": {},
        "untimed": 2,
    }
    assert (done.code, done.err.count("\n")) == (1, 1)


# --- Terminals, pipes and signals


def test_progress_is_shown_only_on_terminal(tmp_path: Path) -> None:
    file = lines(tmp_path / "logs.jsonl", chat("a"), "{", chat("b"))
    command = ("import", "chats", file, "--dry-run")
    with start_process(*command) as piped:
        out, err = piped.communicate(timeout=60)
    assert "Would import 2 conversations" in out
    assert err.count("\n") == 1
    assert "\x1b" not in out + err
    assert "\r" not in out + err

    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with start_process(*command, stderr=theirs) as watched:
        os.close(theirs)
        shown = b"".join(iter(lambda: read(terminal), b"")).decode()
        out, _ = watched.communicate(timeout=60)
    os.close(terminal)
    assert "Would import 2 conversations" in out
    assert "%|" in shown
    assert "draive-pg: logs.jsonl, line 2" in shown


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # raised on Linux when the other side is closed
        return b""


def test_closed_stdout_is_ignored(dsn: str) -> None:
    for command in (["--help"], ["setup", "--dsn", dsn]):
        with start_process(*command) as process:
            process.stdout.close()
            assert process.stderr.read() == ""
            assert process.wait(timeout=60) in (0, 1)


def test_unwritable_stdout_is_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with (
        (tmp_path / "out").open() as unwritable,
        start_process("--version", stdout=unwritable) as process,
    ):
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("draive-pg: ")
    assert err.count("\n") == 1


def test_interrupt_exits_with_code_130_silently() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]}"
        with start_process("setup", "--dsn", dsn) as process, silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")


def test_interrupt_while_command_is_imported_exits_with_code_130_silently() -> None:
    code = """
import sys
from draive_pg.__main__ import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "draive_pg.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
main()
"""
    process = start_process(command=("-c", code))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")


# --- Exports


def test_export_writes_frame_to_file(shell: Shell, dsn: str, tmp_path: Path) -> None:
    log = lines(tmp_path / "chats.jsonl", chat("a", "Hi", "Hello"), chat("b", "Ho", "Hum"))
    assert shell("import", "chats", log, "--dsn", dsn).code == 0
    path = tmp_path / "log.jsonl"
    done = shell("export", "conversation_log", path, "--dsn", dsn)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Exported 4 rows to {path} in ")
    options = ["--identifier", "b", "--identifier", "c", "--role", "output", "--columns", "text"]
    times = ["--since", "2020-01-01", "--until", "2999-12-31T12:00:00Z", "--limit", "3"]
    done = shell("export", "conversation_log", path, "--dsn", dsn, "--json", *options, *times)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["rows"] == 1
    assert path.read_text() == '{"text": "Hum"}\n'
    done = shell(
        "export", "tool_calls", tmp_path / "calls", "--format", "csv", "--tool", "x", "--dsn", dsn
    )
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "calls").read_text().startswith('"identifier"')


def test_invalid_export_is_one_line_error(shell: Shell, dsn: str, tmp_path: Path) -> None:
    for arguments, part in (
        (("sessions", "a.xlsx"), "parquet, csv, jsonl"),
        (
            ("sessions", "nowhere/a.csv"),
            f"No such file or directory: {str(tmp_path / 'nowhere' / 'a.csv')!r}",
        ),
        (("sessions", "a.csv", "--role", "input"), "cannot be filtered by role"),
        (("sessions", "a.csv", "--columns", "a,b"), "has no column 'a'"),
    ):
        frame, file, *options = arguments
        done = shell("export", frame, tmp_path / file, *options, "--dsn", dsn)
        assert_one_line_error(done, part)
    done = shell("export", "nope", tmp_path / "a.csv", "--dsn", dsn)
    assert (done.code, done.out) == (2, "")
    assert "No such command 'nope'" in done.err
    done = shell("export", "sessions", tmp_path / "a.csv", "--since", "soon", "--dsn", dsn)
    assert (done.code, done.out) == (2, "")
    assert "'--since': it must be a time" in done.err
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "group", ["", "prompts", "configs", "memories", "import", "export", "server"]
)
def test_command_list_shows_complete_summaries(shell: Shell, group: str) -> None:
    commands = shell(*group.split(), "--help").out.partition("\nCommands:\n")[2]
    assert commands
    assert "..." not in commands


# --- Unexpected errors


def test_unexpected_error_shows_traceback(
    shell: Shell, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("draive_pg.cli.memories.print_json", fail)
    done = shell("memories", "list", "--dsn", dsn, "--json")
    assert (done.code, done.out) == (1, "")
    assert "Traceback" in done.err
    assert "report the traceback" in done.err
