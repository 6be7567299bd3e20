"""Folders of prompts and configurations: their files, their names, and the three-way comparison."""

import json
import os
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import FileInvalid
from draive_pg.sync.comparison import (
    Action,
    Change,
    Comparison,
    Plan,
    Stored,
    action,
    changes,
)
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import Configuration, Prompt, own_labels
from draive_pg.sync.kinds import CONFIGURATIONS, PROMPTS
from draive_pg.sync.names import name_of_path, path_of_name
from draive_pg.sync.seen import Version
from tests.folders import HOSTILE_NAMES, file_contents

# --- Strategies

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LINES = st.lists(
    st.sampled_from(["+++", "---", "a = 1", "\r", "\ufeff", "", "Hello {name}", "\u2028", "# x"]),
    max_size=6,
).flatmap(lambda lines: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join(lines)))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
ARGUMENTS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXTS}, optional={"description": TEXTS | st.none(), "required": st.booleans()}
    ),
    max_size=2,
)
LABELS = st.sets(TEXTS.map(str.strip), max_size=2).map(own_labels)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    return Prompt.of(
        draw(TEXTS | LINES),
        draw(st.none() | TEXTS),
        draw(ARGUMENTS),
        draw(OBJECTS),
        draw(LABELS),
        "",
    )


# --- Files


@given(prompts())
def test_prompt_file_round_trip(prompt: Prompt) -> None:
    data = prompt.encode(".md")
    assert Prompt.read(data, ".md", "") == prompt
    assert Prompt.read(data, ".md", "").encode(".md") == data


@given(OBJECTS, st.sampled_from([".json", ".toml"]))
def test_configuration_file_round_trip(value: dict[str, object], suffix: str) -> None:
    configuration = Configuration.of(value, (), "")
    if suffix == ".toml" and "null" in json.dumps(value).replace('"', " "):
        with suppress(FileInvalid):  # null may be part of a text
            configuration.encode(suffix)
        return
    data = configuration.encode(suffix)
    assert Configuration.read(data, suffix, "") == configuration
    assert Configuration.read(data, suffix, "").digest == configuration.digest


def test_prompt_file_format() -> None:
    assert Prompt("Hello {name}!").encode(".md") == b"Hello {name}!\n"
    prompt = Prompt(
        "Hello {name}!\n\nBe brief.",
        description="Says hello",
        arguments=[{"name": "name", "required": True}],
        meta={"tags": ["a", "b"], "owner": {"team": "shop"}},
        labels=(("production", ""),),
    )
    assert prompt.encode(".md").decode() == (
        '+++\ndescription = "Says hello"\nlabels = [\n    "production",\n]\n'
        'arguments = [\n    { name = "name", required = true },\n]\n\n'
        '[meta]\ntags = [\n    "a",\n    "b",\n]\n\n[meta.owner]\nteam = "shop"\n'
        "+++\nHello {name}!\n\nBe brief.\n"
    )


def test_hand_written_prompt_files_are_read() -> None:
    read = lambda data: Prompt.read(data, ".md", "")  # noqa: E731
    assert read(b"Hello") == read(b"Hello\n") == Prompt("Hello", arguments=[])
    assert (
        read(b"\xef\xbb\xbfHello\r\nyou\r\n").content == "Hello\nyou"
    )  # saved by an editor on Windows
    assert read(b"+++\r\ndescription = 'x'\r\n+++\r\na\r\nb\r\n").content == "a\nb"
    assert read(b"+++\n+++\na\r\nb\r\n").content == "a\r\nb\r"
    assert read(b"+++\n+++").content == ""
    assert read(b"+++\n+++\n---\ntitle: x\n---\nHi\n").content == "---\ntitle: x\n---\nHi"
    assert read(b"---\nHi\n").content == "---\nHi"  # a rule, without an end
    assert read(b"+++\nmeta_json = '{\"a\": null}'\n+++\nHi").meta == {"a": None}
    assert read(b"+++\nmeta.day = 2026-01-02\n+++\nHi").meta == {"day": "2026-01-02"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"a\0b", "NUL"),
        (b"+++\ndescription = 'x'\n", "no closing"),
        (b"+++\ndescription = 'x'\n+++ x\n", "no closing"),
        (b"+++\ndescription\n+++\n", "not TOML"),
        (b"+++\ndescription = 'a'\ndescription = 'b'\n+++\n", "not TOML"),
        (b"+++\ndescription = 1\n+++\n", "description must be a str"),
        (b"+++\nversion = 1\n+++\n", "'version'"),
        (b"+++\nmeta = 1\n+++\n", "meta must be"),
        (b"+++\nmeta_json = '{'\n+++\n", "not JSON"),
        (b"+++\nmeta_json = '{}'\nmeta = {}\n+++\n", "both"),
        (b"+++\nmeta.x = nan\n+++\n", "meta.x"),
        (b"+++\nlabels = 'production'\n+++\n", "labels must be"),
        (b"+++\nlabels = {production = 3}\n+++\n", "64 hexadecimal digits"),
        (b"---\ndescription: x\n---\n", "YAML"),
        (b"---\r\n---\r\n", "YAML"),
        (b"+++\narguments = ['name']\n+++\n", "[[arguments]]"),
        (b"+++\narguments = [{required = true}]\n+++\n", "name of argument 1"),
        (b"+++\narguments = [{name = 'a', requierd = true}]\n+++\n", "requierd"),
        (b"+++\narguments = [{name = 'a', required = 'yes'}]\n+++\n", "true or false"),
        (b"+++\nmeta.x = " + b"[" * 5000 + b"\n+++\n", "TOML"),
    ],
)
def test_invalid_prompt_file_is_named_in_error(data: bytes, said: str) -> None:
    with pytest.raises(FileInvalid, match=r"^greeting\.md") as caught:
        Prompt.read(data, ".md", "greeting.md")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("data", "suffix", "said"),
    [
        (b"[]", ".json", "mapping"),
        (b'{"a": 1, "a": 2}', ".json", "duplicate"),
        (b'{"a": NaN}', ".json", "nan"),
        (b"<<<<<<< ours\n{}", ".json", "not JSON"),
        (b"[" * 100_000, ".json", "not JSON"),
        (b"a = inf", ".toml", "inf"),
        (b"a", ".toml", "not TOML"),
    ],
)
def test_invalid_configuration_file_is_named_in_error(data: bytes, suffix: str, said: str) -> None:
    with pytest.raises(FileInvalid, match=r"^limits") as caught:
        Configuration.read(data, suffix, f"limits{suffix}")
    assert said in str(caught.value)


# --- Names

NAMES = st.sampled_from(HOSTILE_NAMES) | TEXTS | st.text("aA./%\u0301é .-😀", max_size=20)


@given(name=NAMES, plain=st.booleans())
def test_name_round_trips_through_path(*, name: str, plain: bool) -> None:
    path = path_of_name(name, ".md", plain=plain)
    assert name_of_path(path, ".md") == name
    apart = PurePosixPath(unicodedata.normalize("NFD", str(path)))  # as some file systems store it
    assert name_of_path(apart, ".md") == name


@given(name=NAMES, plain=st.booleans())
def test_path_is_portable_and_within_folder(*, name: str, plain: bool) -> None:
    path = path_of_name(name, ".md", plain=plain)
    assert not path.is_absolute()
    for part in path.parts:
        assert part not in ("", ".", "..")
        assert part[0] not in ". -"
        assert len(part.encode()) < 200
        assert part.isprintable()
        assert not set(part) & set('<>:"\\|?*')
    assert path.suffix == ".md"
    assert not any(part.endswith((".", " ", ".md")) for part in path.parts[:-1])


@given(st.text("aA.c-noN /%é", max_size=8), st.text("aA.c-noN /%É", max_size=8))
def test_escaped_path_is_unique_ignoring_case(a: str, b: str) -> None:
    escaped = str(path_of_name(a, ".md", plain=False))
    others = {str(path_of_name(b, ".md", plain=plain)).casefold() for plain in (True, False)}
    assert a == b or escaped.casefold() not in others


@pytest.mark.parametrize("path", ["100%.md", "%zz.md", "%ff.md", "a%2.md"])
def test_path_with_invalid_escape_is_rejected(path: str) -> None:
    with pytest.raises(FileInvalid, match="%25"):
        name_of_path(PurePosixPath(path), ".md")


# --- Folders

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def stored(content: str, *labels: str) -> Stored:
    prompt = Prompt(content, arguments=[], labels=own_labels(labels))
    return Stored(NOW, Version.of(prompt), prompt)


def compare(
    path: Path,
    database: dict[str, Stored],
    base: dict[str, Version] | None = None,
    *,
    labels: bool = False,
) -> Comparison:
    """Compare a folder; the base is in the database, here in a mapping that pulls update."""
    if not labels:
        database = {
            name: each._replace(version=each.version._replace(labels=None))
            for name, each in database.items()
        }
    versions = {
        name: each._replace(labels=(each.labels or ()) if labels else None)
        for name, each in (base or {}).items()
    }
    return Comparison(Folder(path, PROMPTS), database, versions, labels=labels)


def pull(
    path: Path,
    database: dict[str, Stored],
    base: dict[str, Version] | None = None,
    *,
    labels: bool = False,
    **how: bool,
) -> Comparison:
    comparison = compare(path, database, base, labels=labels)
    plan = comparison.plan("database", **how)
    plan.write_files()
    note(base, plan)
    return comparison


def note(base: dict[str, Version] | None, plan: Plan) -> None:
    for name, version in plan.common.items():
        if base is not None and version is None:
            base.pop(name, None)
        elif base is not None and version is not None:
            before = base.get(name)
            labels = version.labels if plan.comparison.labels else before and before.labels
            base[name] = version._replace(labels=labels)


def test_pull_writes_files_and_is_idempotent(tmp_path: Path) -> None:
    path = tmp_path / "prompts"
    database = {name: stored(f"content of {name!r}") for name in HOSTILE_NAMES}
    pull(path, database)
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    pull(path, database)
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before
    assert {name: each.document for name, each in database.items()} == Folder(
        path, PROMPTS
    ).documents
    assert list(tmp_path.iterdir()) == [path]
    assert not compare(path, database).differing


def test_names_differing_in_case_have_distinct_paths(tmp_path: Path) -> None:
    names = ["Greeting", "greeting", "GREETING", "a/x", "A/y", "Con", "CON", ".a", ".A"]
    pull(tmp_path, {name: stored(name) for name in names})
    paths = [PurePosixPath(name) for name in file_contents(tmp_path) if name.endswith(".md")]
    parts = {
        str(part) for path in paths for part in (PurePosixPath(path), *PurePosixPath(path).parents)
    }
    assert len({part.casefold() for part in parts}) == len(parts)
    assert Folder(tmp_path, PROMPTS).documents.keys() == set(names)


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.md").write_text("secret")
    (folder / "team").symlink_to(outside)
    assert Folder(folder, PROMPTS).documents == {}
    with pytest.raises(FileInvalid, match="link"):
        pull(folder, {"team/x": stored("x"), "y": stored("y")})
    assert file_contents(outside) == {"secret.md": b"secret"}
    (folder / "team").unlink()
    (folder / "leak.md").symlink_to(outside / "secret.md")
    with pytest.raises(FileInvalid, match="not a regular file"):
        Folder(folder, PROMPTS)
    (folder / "leak.md").unlink()
    (folder / ".draive_pg.json").symlink_to(outside / "secret.md")
    with pytest.raises(FileInvalid, match="link"):
        Folder(folder, PROMPTS)


def test_file_that_postgresql_cannot_hold_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.md").open("wb") as sparse:
        sparse.truncate(10**9 + 1)
    with pytest.raises(FileInvalid, match="larger than 1,000,000,000 bytes"):
        Folder(tmp_path, PROMPTS)


def test_failed_pull_leaves_files_unchanged(tmp_path: Path) -> None:
    pull(tmp_path, {"a": stored("1"), "b": stored("1")})
    before = file_contents(tmp_path)
    (tmp_path / "z").write_text("a file where a folder is to be")
    with pytest.raises(FileInvalid, match="z"):
        pull(tmp_path, {"a": stored("2"), "b": stored("2"), "z/y": stored("2")})
    (tmp_path / "z").unlink()
    assert file_contents(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads all")
def test_unreadable_directory_raises_permission_error(tmp_path: Path) -> None:
    pull(tmp_path, {"a/b": stored("1")})
    (tmp_path / "a").chmod(0)
    with pytest.raises(PermissionError):
        Folder(tmp_path, PROMPTS)
    (tmp_path / "a").chmod(0o700)


def test_removed_files_leave_no_empty_directories(tmp_path: Path) -> None:
    base: dict[str, Version] = {}
    pull(tmp_path, {"a/b/c": stored("1"), "a/d": stored("1")}, base)
    pull(tmp_path, {"a/d": stored("1")}, base, delete=True)
    assert file_contents(tmp_path).keys() == {"a/d.md"}
    assert not (tmp_path / "a/b").exists()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("<<<<<<< ours", "remove it"),
        ("[]", "remove it"),
        ('{"format": 1, "kind": "prompts", "revisions": {"a": 1}}', "remove it"),
        ('{"format": 2, "kind": "prompts", "revisions": {}}', "upgrade"),
        ('{"format": 1, "kind": "configurations", "revisions": {}}', "another folder"),
    ],
)
def test_invalid_state_file_is_rejected(tmp_path: Path, state: str, said: str) -> None:
    (tmp_path / ".draive_pg.json").write_text(state)
    with pytest.raises(FileInvalid, match=said):
        Folder(tmp_path, PROMPTS)


def test_file_name_that_is_not_utf8_is_rejected() -> None:
    path = PurePosixPath(os.fsdecode(b"sub/\xff.md"))
    with pytest.raises(FileInvalid, match=r"udcff.md': the name of the file is not UTF-8: rename"):
        name_of_path(path, ".md")


def test_two_files_of_one_name_are_rejected(tmp_path: Path) -> None:
    for name in ("limits.json", "limits.toml"):
        (tmp_path / name).write_text("" if name.endswith("toml") else "{}")
    with pytest.raises(FileInvalid, match=r"limits.json.*limits.toml.*remove one"):
        Folder(tmp_path, CONFIGURATIONS)


def test_pull_without_labels_keeps_labels_of_file(tmp_path: Path) -> None:
    base: dict[str, Version] = {}
    pull(tmp_path, {"a": stored("1", "production")}, base)
    assert file_contents(tmp_path)["a.md"] == b"1\n"
    pull(tmp_path, {"a": stored("1", "production")}, base, labels=True)
    assert b"production" in file_contents(tmp_path)["a.md"]
    pull(tmp_path, {"a": stored("2")}, base)
    assert Folder(tmp_path, PROMPTS).documents["a"] == Prompt(
        "2", arguments=[], labels=own_labels(["production"])
    )
    assert compare(tmp_path, {"a": stored("2")}, base, labels=True).differing


# --- The comparison

VERSIONS = st.dictionaries(st.sampled_from(ascii_letters[:5]), st.integers(0, 2))
HOW = st.fixed_dictionaries({"force": st.booleans(), "delete": st.booleans()})


@pytest.mark.parametrize(
    ("base", "folder", "database", "change"),
    [
        (1, 1, 1, Change.UNCHANGED),
        (1, 2, 2, Change.UNCHANGED),
        (None, 1, 1, Change.UNCHANGED),
        (1, 2, 1, Change.CHANGED_IN_FOLDER),
        (1, 1, 2, Change.CHANGED_IN_DATABASE),
        (None, 1, None, Change.NEW_IN_FOLDER),
        (None, None, 1, Change.NEW_IN_DATABASE),
        (1, None, 1, Change.REMOVED_FROM_FOLDER),
        (1, 1, None, Change.REMOVED_FROM_DATABASE),
        (1, 2, 3, Change.CONFLICT),
        (None, 1, 2, Change.CONFLICT),
        (1, None, 2, Change.CONFLICT),
        (1, 2, None, Change.CONFLICT),
    ],
)
def test_three_way_comparison(
    base: int | None, folder: int | None, database: int | None, change: Change
) -> None:
    sides = [{} if side is None else {"a": side} for side in (base, folder, database)]
    assert changes(*sides) == {"a": change}


@given(VERSIONS, VERSIONS, VERSIONS, HOW)
def test_transfer_is_complete_and_loses_nothing(
    base: dict[str, int], source: dict[str, int], target: dict[str, int], how: dict[str, bool]
) -> None:
    for name in source | target:
        old, new, now = base.get(name), source.get(name), target.get(name)
        (change,) = changes({name: old}, {name: new}, {name: now}).values()
        done = action(change, "folder", exists=new is not None, **how)
        if done in (Action.WRITE, Action.REMOVE):
            assert how["force"] or now == old  # what only the target had is not overwritten
            assert new != now
            assert (new is None) == (done is Action.REMOVE)
            assert how["delete"] or done is not Action.REMOVE
        if done is Action.NOTHING:
            assert new == now or (new == old and not how["force"])
        if done is Action.CONFLICT:
            assert not how["force"]
            assert len({old, new, now}) == 3


STATES = st.dictionaries(
    st.sampled_from(["a", "A", "b/c", "+"]),
    st.tuples(st.sampled_from(["1", "2", "3"]), st.sampled_from([(), ("x",), ("x", "y")])),
)


@given(base=STATES, folder=STATES, database=STATES, labels=st.booleans())
def test_only_folder_changes_differ_after_pull(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    base: dict[str, tuple[str, tuple[str, ...]]],
    folder: dict[str, tuple[str, tuple[str, ...]]],
    database: dict[str, tuple[str, tuple[str, ...]]],
    labels: bool,
) -> None:
    path = tmp_path_factory.mktemp("folder")
    heads = [
        {name: stored(content, *named) for name, (content, named) in state.items()}
        for state in (base, folder, database)
    ]
    known: dict[str, Version] = {}
    pull(path, heads[0], known, labels=labels)
    edits = dict.fromkeys(heads[0]) | {name: each.document for name, each in heads[1].items()}
    Folder(path, PROMPTS).write(edits)

    before = compare(path, heads[2], known, labels=labels)
    conflicts = {name for name, change in before.changes.items() if change is Change.CONFLICT}
    after = pull(path, heads[2], known, labels=labels, delete=True)
    left = compare(path, heads[2], known, labels=labels)
    ours = {
        Change.CHANGED_IN_FOLDER,
        Change.NEW_IN_FOLDER,
        Change.REMOVED_FROM_FOLDER,
        Change.RENAMED_IN_FOLDER,
    }
    assert {name for name, change in left.changes.items() if change is Change.CONFLICT} == conflicts
    assert set(left.changes.values()) <= ours | {Change.UNCHANGED, Change.CONFLICT}
    for name in conflicts:
        assert after.folder.documents.get(name) == edits.get(name)

    pull(path, heads[2], known, labels=labels, delete=True, force=True)
    forced = compare(path, heads[2], known, labels=labels)
    assert set(forced.changes.values()) <= {Change.UNCHANGED}
    assert set(forced.plan("database", force=True, delete=True).actions.values()) <= {
        Action.NOTHING
    }


@given(base=STATES, folder=STATES, database=STATES)
def test_push_then_pull_leaves_no_difference(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    base: dict[str, tuple[str, tuple[str, ...]]],
    folder: dict[str, tuple[str, tuple[str, ...]]],
    database: dict[str, tuple[str, tuple[str, ...]]],
) -> None:
    path = tmp_path_factory.mktemp("folder")
    heads = {name: stored(content) for name, (content, _) in database.items()}
    known: dict[str, Version] = {}
    pull(path, {name: stored(content) for name, (content, _) in base.items()}, known)
    edits = dict.fromkeys(base) | {
        name: stored(content).document for name, (content, _) in folder.items()
    }
    Folder(path, PROMPTS).write(edits)

    for how in ({"force": False, "delete": False}, {"force": True, "delete": True}):
        comparison = compare(path, heads, known)
        plan = comparison.plan("folder", **how)
        for name, done in plan.actions.items():
            if done in (Action.WRITE, Action.RENAME):
                document = comparison.folder.documents[name]
                heads[name] = Stored(NOW, Version.of(document), document)
            elif done is Action.REMOVE:
                del heads[name]
            if done is Action.RENAME:
                del heads[comparison.renamed[name]]
        note(known, plan)
        left = set(compare(path, heads, known).plan("folder", **how).actions.values())
        assert left <= {Action.NOTHING, Action.KEEP, Action.CONFLICT}
    assert left <= {Action.NOTHING}

    pull(path, heads, known, delete=True)
    assert not compare(path, heads, known).differing
