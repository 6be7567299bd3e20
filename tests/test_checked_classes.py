"""Configurations in a folder that must fit their classes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from draive import Configuration
from haiway import State

from draive_pg import Client, FileInvalid
from tests.cli_runner import Result, Shell


class Model(State):
    name: str = "small"


class Limits(Configuration):
    tokens: int = 1
    models: Sequence[Model] = ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "configs"
    path.mkdir()
    return path


def write(folder: Path, **documents: object) -> None:
    for name, value in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ({}, []),
        ({"tokens": 5, "models": [{"name": "big"}]}, []),
        ({"tokns": 5}, ["Limits has no 'tokns', so it is ignored"]),
        ({"models": [{}, {"nmae": "x"}]}, ["Limits has no 'models.1.nmae', so it is ignored"]),
        ({"tokens": "5"}, ["Validation of .tokens failed"]),
    ],
)
def test_files_are_checked_against_classes(
    db: Client, folder: Path, content: object, problems: list[str]
) -> None:
    write(folder, Limits=content, other={"tokns": 5})
    checked = db.configurations.check_folder(folder, classes=[Limits])
    assert [each.file for each in checked.problems] == ["Limits.json"] * len(problems)
    for found, expected in zip(checked.problems, problems, strict=True):
        assert found.problem.startswith(expected)
    if problems:
        with pytest.raises(FileInvalid, match=r"Limits\.json"):
            db.configurations.push(folder, classes=[Limits])
        assert db.configurations.list() == ()
    assert db.configurations.push(folder, prefix="o", classes=[Limits]).done
    assert db.configurations.push(folder).done


def test_class_of_another_identifier_and_class_without_a_file(db: Client, folder: Path) -> None:
    write(folder, chat={"tokns": 1})
    checked = db.configurations.check_folder(folder, classes={"chat": Limits, "nowhere": Limits})
    assert [(each.file, each.fatal) for each in checked.problems] == [
        ("chat.json", True),
        ("nowhere.json", True),
    ]
    with pytest.raises(TypeError, match="prompts are not checked against classes"):
        db.instructions.check_folder(folder, classes=[Limits])


def test_command_imports_classes(
    shell: Shell, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings_of_a_service.py").write_text(
        "from draive import Configuration\nclass Limits(Configuration):\n    tokens: int = 1\n"
    )
    monkeypatch.chdir(tmp_path)
    write(folder, Limits={"tokns": 1}, chat={"tokens": 2})
    address = "settings_of_a_service:Limits"

    def check(*options: str) -> Result:
        return shell("configs", "check", "configs", *options)

    refused = check("--class", address)
    assert (refused.code, "Limits has no 'tokns'" in refused.out) == (1, True)
    assert check("--class", f"chat={address}").code == 0
    missing = check("--class", f"limits={address}")
    assert "there is no file of configuration 'limits' for the class Limits" in missing.out
    assert check().code == 0
    for wrong in ("settings_of_a_service:Limit", "nowhere:Limits", "json:dumps", "Limits"):
        assert check("--class", wrong).code == 2
