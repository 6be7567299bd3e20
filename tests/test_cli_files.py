"""draive-pg prompts|configs pull, push, status and diff."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from draive_pg import Client
from tests.cli_runner import Result, Shell, set_stdin, start_process
from tests.folders import HOSTILE_NAMES, Sides, file_contents


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    with Client(dsn, cache_limit=0) as db:
        yield db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "folder"


type Run = Callable[..., Result]


@pytest.fixture(params=["prompts", "configs"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def run(shell: Shell, dsn: str, folder: Path, kind: str) -> Run:
    """Run a command of either kind on the folder and a fresh database."""
    return lambda command, *options: shell(kind, command, folder, "--dsn", dsn, *options)


@pytest.fixture
def prompts(shell: Shell, dsn: str, folder: Path) -> Run:
    """Run a command of prompts on the folder and a fresh database."""
    return lambda command, *options: shell("prompts", command, folder, "--dsn", dsn, *options)


@pytest.fixture
def side(kind: str, client: Client, folder: Path) -> Sides:
    return Sides(kind, client, folder)


def changes(done: Result) -> dict[str, str]:
    return {each["name"]: each["change"] for each in json.loads(done.out)["changes"]}


def messages(done: Result) -> list[str]:
    """Return the lines on stderr after the one that names the database."""
    target = ("Push to host=", "Pull from host=")
    return [line for line in done.err.splitlines() if not line.startswith(target)]


@pytest.fixture
def apart(run: Run, side: Sides) -> Sides:
    """A folder and a database that differ in every way."""
    for name in "abcdefgh":
        side.define(name, 1)
    assert run("pull").code == 0
    side.write("b", 2)
    side.define("c", 2)
    side.write("d", 2)
    side.define("d", 3)
    side.unlink("e")
    side.remove("f")
    side.unlink("g")
    side.define("g", 2)
    side.write("h", 2)
    side.write("new_in_folder", 1)
    side.define("new_in_database", 1)
    return side


DIFFERENT = {
    "b": "changed in folder",
    "c": "changed in database",
    "d": "conflict",
    "e": "removed from folder",
    "f": "removed from database",
    "g": "conflict",
    "h": "changed in folder",
    "new_in_folder": "new in folder",
    "new_in_database": "new in database",
}


def test_status_lists_differences_and_exits_with_code_3(run: Run, apart: Sides) -> None:
    done = run("status", "--json")
    assert (done.code, done.err) == (3, "")
    assert json.loads(done.out)["drift"] is True
    assert changes(done) == DIFFERENT
    shown = run("status")
    assert shown.code == 3
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == sorted(DIFFERENT)


def test_conflict_aborts_pull_and_push(run: Run, apart: Sides) -> None:
    files, stored = file_contents(apart.folder), apart.stored()
    for command in ("pull", "push"):
        done = run(command, "--delete")
        assert done.code == 4
        assert "'d', 'g'" in done.err
        assert "--force" in done.err
        assert json.loads(run(command, "--delete", "--json").out)["conflicts"] == 2
    assert file_contents(apart.folder) == files
    assert apart.stored() == stored


def test_dry_run_lists_actions_and_changes_nothing(run: Run, apart: Sides) -> None:
    files, stored = file_contents(apart.folder), apart.stored()
    for command, written in (
        ("pull", {"c", "d", "g", "new_in_database"}),
        ("push", {"b", "d", "h"}),
    ):
        done = run(command, "--force", "--delete", "--dry-run", "--json")
        said = json.loads(done.out)
        assert (done.code, said["done"]) == (0, False)
        named = {each["name"] for each in said["changes"] if each["action"] == "write"}
        assert written <= named
        assert "to write" in run(command, "--force", "--dry-run").out
    assert file_contents(apart.folder) == files
    assert apart.stored() == stored


def test_pull_and_push_synchronize_folder_and_database(run: Run, apart: Sides) -> None:
    assert run("pull", "d", "g", "--force").code == 0
    assert apart.files() == {
        "a": 1,
        "b": 2,
        "c": 1,
        "d": 3,
        "f": 1,
        "g": 2,
        "h": 2,
        "new_in_folder": 1,
    }
    assert run("pull", "--delete").code == 0
    assert apart.files() == {
        "a": 1,
        "b": 2,
        "c": 2,
        "d": 3,
        "g": 2,
        "h": 2,
        "new_in_folder": 1,
        "new_in_database": 1,
    }
    pushed = run("push", "--json")
    assert pushed.code == 0
    assert {each["name"]: each["done"] for each in json.loads(pushed.out)["changes"]} == {
        **dict.fromkeys(("b", "h", "new_in_folder"), "written"),
        "e": "kept, without --delete",
    }
    assert changes(run("status", "--json")) == {"e": "removed from folder"}
    assert run("push", "--delete", "--yes").code == 0
    assert run("status").code == 0
    assert apart.files() == apart.stored()
    before = file_contents(apart.folder)
    for command in ("push", "pull"):
        done = run(command, "--delete", "--force")
        assert (done.code, done.out) == (0, "")
        assert messages(done) == ["Nothing to do."]
    assert file_contents(apart.folder) == before


def test_push_and_pull_report_changes_of_other_side(run: Run, side: Sides) -> None:
    side.define("a", 1)
    run("pull")
    side.define("a", 2)
    assert "The database has 1 change of its own: use pull." in run("push").err
    run("pull")
    side.write("a", 3)
    assert "The folder has 1 change of its own: use push." in run("pull").err


def test_forced_push_overwrites_database(run: Run, apart: Sides) -> None:
    assert run("push", "--force").code == 0
    assert apart.stored() == apart.files() | {"e": 1, "g": 2, "new_in_database": 1}
    assert run("push", "--force", "--delete", "--yes").code == 0
    assert apart.stored() == apart.files()
    assert run("status").code == 0


def test_forced_pull_overwrites_folder(run: Run, apart: Sides) -> None:
    assert run("pull", "--force").code == 0
    assert apart.files() == apart.stored() | {"f": 1, "new_in_folder": 1}
    assert run("pull", "--force", "--delete").code == 0
    assert apart.files() == apart.stored()
    assert run("status").code == 0


def test_diff_shows_lines_of_folder_and_database(run: Run, side: Sides) -> None:
    side.define("a", 1)
    side.define("b", 1)
    run("pull")
    assert run("diff").code == 0
    side.write("a", 2)
    done = run("diff")
    assert (done.code, done.err) == (3, "")
    assert f"--- database/a{side.suffix}" in done.out
    assert f"+++ folder/a{side.suffix}" in done.out
    assert "\n+" in done.out
    assert "b" + side.suffix not in done.out


def test_missing_folder_is_rejected(run: Run, side: Sides) -> None:
    side.define("a", 1)
    for command in (["push", "--delete"], ["status"], ["diff"]):
        done = run(*command)
        assert (done.code, done.out) == (2, "")
        assert "no folder" in done.err
    assert side.stored() == {"a": 1}


def test_unreadable_file_aborts_every_command(run: Run, side: Sides) -> None:
    side.define("a", 1)
    run("pull")
    side.write("b", 1)
    (side.folder / f"bad{side.suffix}").write_bytes(b"\xff")
    for command in ("push", "pull", "status", "diff"):
        done = run(command)
        assert (done.code, done.out, len(messages(done))) == (1, "", 1)
        assert f"bad{side.suffix}" in done.err
    assert side.stored() == {"a": 1}


def test_folder_of_other_kind_is_rejected(shell: Shell, dsn: str, folder: Path) -> None:
    with Client(dsn) as db:
        db.instructions.define("a", content="1")
    assert shell("prompts", "pull", folder, "--dsn", dsn).code == 0
    done = shell("configs", "pull", folder, "--dsn", dsn)
    assert (done.code, done.out) == (1, "")
    assert "folder of prompts" in done.err


@pytest.mark.slow
def test_concurrent_pushes_one_exits_with_conflict(
    kind: str, side: Sides, dsn: str, tmp_path: Path
) -> None:
    for name in "ab":
        side.define(name, 1)
    folders = []
    for number in (2, 3):
        mine = Sides(kind, side.client, tmp_path / f"folder {number}")
        with start_process(kind, "pull", mine.folder, "--dsn", dsn) as pulled:
            assert pulled.wait(timeout=60) == 0
        mine.write("a", number)
        mine.write("b", number)
        folders.append((number, mine))
    processes = [
        (number, start_process(kind, "push", mine.folder, "--dsn", dsn)) for number, mine in folders
    ]
    codes = {}
    for number, process in processes:
        process.communicate(timeout=60)
        codes[process.returncode] = number
    assert codes.keys() == {0, 4}
    assert side.stored() == {"a": codes[0], "b": codes[0]}


# --- Prompts


def test_any_text_and_name_round_trip(prompts: Run, client: Client, folder: Path) -> None:
    texts = [
        "",
        "\n",
        "a\n",
        "a\r\nb\r\n",
        "---\nx: 1\n---\n",
        "+++\n",
        "\ufeffx",
        "zażółć 😀\u2028",
    ]
    named = {name: texts[number % len(texts)] for number, name in enumerate(HOSTILE_NAMES)}
    for name, text in named.items():
        client.instructions.define(name, content=text)
    assert prompts("pull").code == 0
    before = file_contents(folder)
    assert prompts("status").code == 0
    for name in named:
        client.instructions.remove(name)
    assert prompts("push", "--force").code == 0
    assert {each.name: each.content for each in client.instructions.search()} == named
    assert {name: data for name, data in file_contents(folder).items() if name.endswith(".md")} == {
        name: data for name, data in before.items() if name.endswith(".md")
    }
    assert sorted(path.name for path in folder.parent.iterdir()) == ["folder"]


def test_push_applies_front_matter(prompts: Run, client: Client, folder: Path) -> None:
    folder.mkdir()
    (folder / "greeting.md").write_text(
        '+++\ndescription = "x"\narguments = [{name = "n"}]\nmeta.a = [1, 1.0]\n+++\nHi {n}\n'
    )
    assert prompts("push", "-m", "why", "--author", "ada").code == 0
    newest = client.instructions.revision("greeting")
    assert (newest.description, newest.meta, newest.message) == ("x", {"a": [1, 1.0]}, "why")
    assert [argument["name"] for argument in newest.arguments] == ["n"]
    assert prompts("status").code == 0
    (folder / "greeting.md").write_text("Hi\n")
    assert prompts("push").code == 0
    newest = client.instructions.revision("greeting")
    assert (newest.description, newest.meta, newest.arguments) == (None, {}, [])


def test_prompt_not_matching_its_arguments_aborts_push(
    prompts: Run, client: Client, folder: Path
) -> None:
    folder.mkdir()
    (folder / "a.md").write_text("fine\n")
    (folder / "b.md").write_text('+++\narguments = [{name = "n"}]\n+++\n{m}\n')
    for options in ((), ("--dry-run",)):
        done = prompts("push", *options)
        assert (done.code, done.out, len(messages(done))) == (1, "", 1)
        assert "'b'" in done.err
    assert client.instructions.search() == ()


def test_labels_are_synchronized_only_on_request(
    prompts: Run, client: Client, folder: Path
) -> None:
    client.instructions.define("greeting", content="1")
    client.instructions.label("greeting", "production")
    assert prompts("pull").code == 0
    assert prompts("status").code == 0
    assert prompts("status", "--labels").code == 3
    assert prompts("pull", "--labels").code == 0
    assert prompts("status", "--labels").code == 0

    path = folder / "greeting.md"
    path.write_text(path.read_text().replace("1", "2"))
    assert prompts("push").code == 0
    assert client.instructions.load("greeting", label="production") == "1"
    assert prompts("status").code == 0
    assert prompts("status", "--labels").code == 3
    assert prompts("push", "--labels").code == 0
    assert client.instructions.load("greeting", label="production") == "2"
    assert prompts("status", "--labels").code == 0

    client.instructions.define("greeting", content="3")
    assert prompts("pull").code == 0  # pulled without labels
    assert prompts("push", "--labels").code == 0
    assert client.instructions.load("greeting", label="production") == "2"
    client.instructions.restore("greeting", 2)
    assert prompts("pull", "--labels").code == 0

    path.write_text('+++\nlabels = ["staging"]\n+++\n2\n')
    assert prompts("push", "--labels", "--author", "ada").code == 0
    moved = client.instructions.label_history("greeting", "staging")[0]
    assert (moved.revision, moved.author) == (4, "ada")
    assert len(client.instructions.history("greeting")) == 4

    path.write_text("2\n")
    assert prompts("push", "--labels").code == 0
    assert [each.label for each in client.instructions.labels()] == ["production"]  # of revision 2


# --- Configurations


def test_configuration_file_can_be_toml(
    shell: Shell, dsn: str, client: Client, folder: Path
) -> None:
    place = (folder, "--dsn", dsn)
    folder.mkdir()
    (folder / "limits.toml").write_text("# ours\ntokens = 5\n[a]\nb = 1.0\n")
    assert shell("configs", "push", *place).code == 0
    assert client.configurations.load_raw("limits") == {"tokens": 5, "a": {"b": 1.0}}
    assert "# ours" in (folder / "limits.toml").read_text()
    client.configurations.define("limits", {"tokens": 6})
    assert shell("configs", "pull", *place).code == 0
    assert file_contents(folder)["limits.toml"] == b"tokens = 6\n"
    client.configurations.define("limits", {"tokens": None})
    done = shell("configs", "pull", *place)
    assert (done.code, done.out) == (1, "")
    assert "limits.toml" in done.err
    assert ".json" in done.err


# --- Removing


def test_push_delete_requires_yes_without_terminal(
    run: Run, side: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        side.define(name, 1)
    assert run("pull").code == 0
    set_stdin(monkeypatch, b"y\n")
    side.write("a", 2)
    assert run("push", "--delete").code == 0  # nothing is removed
    side.unlink("b")
    done = run("push", "--delete")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert side.stored() == {"a": 2, "b": 1}
    assert run("push", "--delete", "--dry-run").code == 0
    assert run("push", "--delete", "--yes").code == 0
    assert side.stored() == {"a": 2}


def test_push_delete_stores_author_and_message(run: Run, side: Sides, client: Client) -> None:
    side.define("a", 1)
    assert run("pull").code == 0
    side.unlink("a")
    assert run("push", "--delete", "--yes", "-m", "unused", "--author", "bo").code == 0
    audit = client.frames.audit()
    (removal,) = audit[audit["action"] == "remove"].to_dict("records")
    assert (removal["name"], removal["author"], removal["message"]) == ("a", "bo", "unused")


def test_push_delete_keeps_what_is_behind_a_link(run: Run, side: Sides, tmp_path: Path) -> None:
    side.define("team/a", 1)
    assert run("pull").code == 0
    (side.folder / "team").rename(tmp_path / "moved")
    (side.folder / "team").symlink_to(tmp_path / "moved")
    assert run("push", "--delete", "--yes").code == 0
    assert side.stored() == {"team/a": 1}
    status = run("status")
    assert status.code == 0
    assert status.err.endswith("\ndraive-pg: not read: team (a link)\n")
