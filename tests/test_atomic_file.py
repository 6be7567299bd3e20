"""Atomic replacement of files: permissions, drafts of killed writers, and errors."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from draive_pg import atomic_file
from draive_pg.atomic_file import PRIVATE, USUAL, Drafts
from draive_pg.embedded.ownership import Owner
from tests.server import file_size_limit, scratch_directory

REPOSITORY = Path(__file__).parents[1]


def write(file: Path, data: bytes = b"new", mode: int = PRIVATE) -> None:
    with Drafts(file.parent, mode=mode) as drafts:
        with drafts.open(file) as draft:
            draft.write(data)
        drafts.complete()


def permissions(file: Path) -> int:
    return file.stat().st_mode & 0o7777


def test_drafts_that_another_process_removes_meanwhile_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock: Any = vars(atomic_file)["_lock"]

    def lock_after_removal(directory: Path) -> int | None:
        if directory == other:
            other.rmdir()
        return lock(directory)

    other = tmp_path / ".draive_pg-other"
    other.mkdir()
    monkeypatch.setattr(atomic_file, "_lock", lock_after_removal)
    write(tmp_path / "a")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_files_are_replaced_together_on_complete(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    files = [tmp_path / "a", tmp_path / "folder" / "b"]
    files[0].write_text("old")
    with Drafts(tmp_path, mode=USUAL) as drafts:
        for file in files:
            with drafts.open(file) as draft:
                draft.write(b"new")
        assert [file.exists() for file in files] == [True, False]
        assert files[0].read_text() == "old"
        drafts.complete()
    assert [file.read_text() for file in files] == ["new", "new"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "folder"]


@pytest.mark.parametrize(("mode", "expected"), [(PRIVATE, 0o600), (USUAL, 0o644)])
def test_permissions_of_a_new_file(tmp_path: Path, mode: int, expected: int) -> None:
    before = os.umask(0o022)
    try:
        write(tmp_path / "file", mode=mode)
    finally:
        os.umask(before)
    assert permissions(tmp_path / "file") == expected


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o664])
def test_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    write(file, mode=USUAL)
    assert (file.read_bytes(), permissions(file)) == (b"new", mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_replaced_file_keeps_its_owner_if_that_is_permitted(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o640)
    os.chown(file, 12345, 12346)
    write(file)
    status = file.stat()
    assert (status.st_uid, status.st_gid, permissions(file)) == (12345, 12346, 0o640)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_group_of_the_writer_gets_no_permissions_of_another_group() -> None:
    folder = scratch_directory()
    folder.chmod(0o777)
    file = folder / "file"
    file.touch()
    file.chmod(0o664)
    os.chown(file, 12345, 12346)
    with Owner(54321, 54321).acting():
        write(file)
    assert (file.stat().st_uid, permissions(file)) == (54321, 0o604)
    shutil.rmtree(folder)


def test_draft_of_a_killed_writer_is_ignored_by_git_and_removed_by_the_next_write(
    tmp_path: Path,
) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from draive_pg.atomic_file import *
folder = Path(sys.argv[1])
with Drafts(folder, mode=PRIVATE) as drafts, drafts.open(folder / "file"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code, tmp_path], check=False, cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL
    (abandoned,) = tmp_path.iterdir()
    assert abandoned.name.startswith(".draive_pg-")
    assert permissions(abandoned) == 0o700
    if git := shutil.which("git"):
        subprocess.run([git, "init", "-q", tmp_path], check=True)
        shown = subprocess.run(
            [git, "-C", tmp_path, "status", "--porcelain"], check=True, stdout=subprocess.PIPE
        )
        assert shown.stdout == b""
    write(tmp_path / "file")
    assert {path.name for path in tmp_path.iterdir()} - {".git"} == {"file"}


def test_draft_of_a_running_writer_stays(tmp_path: Path) -> None:
    with Drafts(tmp_path, mode=PRIVATE) as drafts:
        with drafts.open(tmp_path / "first") as draft:
            write(tmp_path / "second")
            draft.write(b"new")
        drafts.complete()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_error_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with file_size_limit(1000), pytest.raises(OSError, match=rf"File too large: '{file}'"):
        write(file, b"x" * 100_000)
    with pytest.raises(FileNotFoundError, match="missing/file'"):
        write(tmp_path / "missing" / "file")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_is_left_if_the_directory_of_drafts_cannot_be_made(tmp_path: Path) -> None:
    with file_size_limit(0), pytest.raises(OSError, match=rf"File too large: '{tmp_path}/file'"):
        write(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_error_in_the_block_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with (
        file_size_limit(1000),
        suppress(OSError),  # of the rest, when the draft is closed
        Drafts(tmp_path, mode=PRIVATE) as drafts,
        drafts.open(file) as draft,
        pytest.raises(OSError, match=rf"File too large: '{file}'"),
    ):
        for _ in range(10):
            draft.write(b"x" * 10_000)


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match="exists and is not a regular file"):
            write(path)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_link_is_replaced_if_it_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("old")
    with Drafts(tmp_path, mode=PRIVATE) as drafts:
        with drafts.open(tmp_path / "link", follow=False) as draft:
            draft.write(b"new")
        (tmp_path / "link").symlink_to(tmp_path / "outside")  # made after the draft was opened
        drafts.complete()
    assert not (tmp_path / "link").is_symlink()
    assert permissions(tmp_path / "link") == 0o600
    assert (tmp_path / "outside").read_text() == "old"
