"""Reports: one page of several conversations, without external references."""

import hashlib
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from draive_pg import Client
from draive_pg.display.report_html import SCRIPT
from tests.cli_runner import Shell
from tests.elements import answered, asked, called, responded
from tests.test_show import Reader


@pytest.fixture
def three(db: Client) -> Client:
    for name in ("a/1", "a/2", "b"):
        db.memory(name).remember(
            asked(f"What about <b>{name}</b>?"),
            called("c"),
            responded("c", text="Error: no" if name == "b" else "found"),
            answered(f"**Yes**, {name} & ![x](https://example.com/{name}.png)"),
        )
    return db


def test_report_is_one_page_without_external_references(three: Client, tmp_path: Path) -> None:
    path = tmp_path / "all.html"
    done = three.memories.report(path, title="<All>")
    assert (done.path, done.memories, done.elements) == (path, 3, 12)
    page = path.read_text()
    read = Reader(page)
    assert read.sources == []
    assert not read.tags & {"link", "iframe", "object", "form", "b/"}
    assert read.tags >= {"script", "main", "header", "details", "strong"}
    assert page.count("<script>") == 1
    assert page.count('<details class="conversation"') == 3
    assert page.count("data-failed=") == 1
    assert page.count("<style>") == 1
    assert "<title>&lt;All&gt;</title>" in page
    for part in ("What about <b>a/1</b>?", "1 failed call", "3 conversations", "Error: no"):
        assert part in read.text


def test_script_of_report_is_the_only_one_that_its_policy_allows(
    three: Client, tmp_path: Path
) -> None:
    three.memories.report(tmp_path / "all.html")
    page = (tmp_path / "all.html").read_text()
    (script,) = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    assert script == SCRIPT
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall('Policy" content="(.*?)"', page)
    assert policy.split("; ") == [
        *("default-src 'none'", "img-src data:", "style-src 'unsafe-inline'"),
        f"script-src 'sha256-{digest}'",
    ]


def test_report_of_a_question_of_many_lines_takes_linear_time(db: Client, tmp_path: Path) -> None:
    db.memory("a").remember(asked(f"What?{'\n' * 1_000_000}Why?"))  # else more than an hour
    db.memories.report(tmp_path / "all.html")
    assert "What? Why?" in (tmp_path / "all.html").read_text()


def test_report_is_filtered_like_list(three: Client, tmp_path: Path) -> None:
    path = tmp_path / "some.html"
    options: list[tuple[dict[str, Any], list[str], str]] = [
        ({"prefix": "a/"}, ["a/1", "a/2"], "2 conversations"),
        ({"limit": 2, "descending": True}, ["b", "a/2"], "first 2 conversations, there are more"),
        ({"until": "2020-01-01"}, [], "0 conversations"),
    ]
    for filters, names, says in options:
        assert three.memories.report(path, **filters).memories == len(names)
        page = path.read_text()
        assert re.findall("<summary><b>(.*?)</b>", page) == names
        assert says in page


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"path": "x.pdf"}, "path must end in .html"),
        ({"path": "x.html", "limit": 0}, "limit must be"),
        ({"path": "x.html", "order": "size"}, "order must be"),
        ({"path": "x.html", "title": "\0"}, "title contains"),
    ],
)
def test_report_rejects_invalid_argument(
    db: Client, options: dict[str, Any], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=error):
        db.memories.report(**options)
    assert list(tmp_path.iterdir()) == []


def test_failed_report_leaves_the_old_page(
    three: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "all.html"
    path.write_text("old")
    monkeypatch.setattr("draive_pg.display.report_html.conversation", lambda shown: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        three.memories.report(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["all.html"]


def test_command_writes_report(shell: Shell, dsn: str, tmp_path: Path) -> None:
    with Client(dsn) as db:
        db.memory("a").remember(asked("q"))
        db.memory("b").remember(asked("q"))
    path = tmp_path / "all.html"
    done = shell("memories", "report", path, "--dsn", dsn, "--limit", 1)
    assert done.code == 0
    assert done.out == f"Wrote 1 conversation to {path}\n"
    assert "1 of 2" in done.err
    assert path.read_text().count('<details class="conversation"') == 1
    wrong = shell("memories", "report", tmp_path / "all.txt", "--dsn", dsn)
    assert wrong.code != 0
    assert "path must end in .html" in wrong.err
    assert "Traceback" not in wrong.err
