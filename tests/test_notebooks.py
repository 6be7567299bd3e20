"""Notebooks run in schemas of their own, and their prose and outputs agree with the results."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import psycopg
import pytest
from nbclient import NotebookClient

from tests.jupyter_kernel import kernels

REPOSITORY = Path(__file__).parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))

# What the prose says, and the expression of which its number is the value.
CLAIMS = {
    "analysis": {
        "assistant, {} conversations": "len(sessions)",
        "answers take {:.1f} seconds": "timed[timed.model == 'large'].seconds.median()",
        "or more, instead of {:.1f}.": "timed[timed.model == 'small'].seconds.median()",
        "stands out, with {} failures": "by_day.max()",
        "prompt has {} revisions": "len(table)",
        "with the second revision, {:.0f} %": "100 * table.broke_off[2]",
        "the others got {:.1f} stars": "table.stars[2]",
    },
    "chatgpt": {
        "answer has {:.0f} characters": "turns.groupby('instructions').answer_chars.median().brief",
        "instead of {:.0f}.": "turns.groupby('instructions').answer_chars.median().none",
        "On {} February": "sessions['first'][sessions.identifier.isin(brief)].min().day",
    },
}

NUMBER = re.compile(r"\d[\d,.]*\d|\d")
CODE = re.compile(r"`[^`]*`")
BAR = re.compile(r"\r[^\r\n]*(?=\r|\Z)")  # text of progress bars
VARYING = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?")


def outputs(notebook: Any) -> list[list[str]]:
    """Return the texts that each cell shows, without times."""
    return [
        [
            shown
            for output in cell.get("outputs", ())
            if (shown := readable(output.get("text") or output["data"].get("text/plain", "")))
        ]
        for cell in notebook.cells
    ]


def readable(text: str) -> str:
    """Return a text without progress bars, times and line breaks."""
    return " ".join(VARYING.sub("TIME", BAR.sub("", text)).split())


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_agrees_with_its_prose_and_outputs(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: Path
) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", empty_dsn)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    committed = nbformat.read(path, as_version=4)
    nbformat.validate(committed)
    notebook = nbformat.read(path, as_version=4)  # the client adds outputs to it
    claims = CLAIMS.get(path.stem, {})
    values = (
        f"import json; print(json.dumps([float(each) for each in [{','.join(claims.values())}]]))"
    )
    notebook.cells.append(nbformat.v4.new_code_cell(values))
    with kernels():
        executed = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=60,
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
    results = json.loads(executed.cells.pop()["outputs"][0]["text"])

    prose = " ".join(cell.source for cell in executed.cells if cell.cell_type == "markdown")
    prose = " ".join(CODE.sub("", prose).split())
    for claim, value in zip(claims, results, strict=True):
        said = claim.format(int(value) if "{}" in claim else value)
        assert said in prose
        prose = prose.replace(said, "")
    assert NUMBER.findall(prose) == []

    assert outputs(executed) == outputs(committed)
    with psycopg.connect(empty_dsn) as connection:
        written = connection.execute(
            "SELECT DISTINCT schemaname FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
    assert written == [(f"notebook_{path.stem}",)]
