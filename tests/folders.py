"""Names that are difficult as file names, and the contents of folders."""

from pathlib import Path
from typing import Any

from draive_pg import Client
from draive_pg.operations.documents import bases
from draive_pg.operations.operation import Operation, Statement
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import Configuration, FileContent, Prompt
from draive_pg.sync.kinds import CONFIGURATIONS, PROMPTS
from tests.sync_facade import SyncFacade

HOSTILE_NAMES = [
    "greeting",
    "support/refunds",
    "",
    "/",
    "//",
    "/etc/passwd",
    "../../etc/passwd",
    "..",
    ".",
    "a/../b",
    ".draive_pg.json",
    ".git/config",
    "-rf",
    "con",
    "NUL.txt",
    "Con",
    'a:b*c?<d>|e\\f"g',
    "100%",
    "%2e",
    "%-",
    "end.",
    "end ",
    " x",
    "line\nfeed",
    "\x1b[31mred",
    "żółć",
    "z\u0307ó",
    "\u200b\u0301",
    "😀 👩\u200d🚀",
    "a.md",
    "a.md/b",
    "x.json/y",
    "a" * 1000,
    "漢" * 300,
    "." * 400,
    "\u202egnp",
]


def file_contents(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


class Sides:
    """Prompts or configurations in a folder and in a database, with a number as content."""

    def __init__(self, kind: str, client: Client, folder: Path) -> None:
        self.prompts = kind == "prompts"
        self.client = client
        self.folder = folder
        self.suffix = ".md" if self.prompts else ".json"

    def define(self, name: str, number: int) -> None:
        if self.prompts:
            self.client.instructions.define(name, content=f"number {number}")
        else:
            self.client.configurations.define(name, {"number": number})

    def remove(self, name: str) -> None:
        (self.client.instructions if self.prompts else self.client.configurations).remove(name)

    def write(self, name: str, number: int) -> None:
        self.folder.mkdir(exist_ok=True)
        text = f"number {number}" if self.prompts else f'{{"number": {number}}}'
        (self.folder / f"{name}{self.suffix}").write_text(text)

    def unlink(self, name: str) -> None:
        (self.folder / f"{name}{self.suffix}").unlink()

    def stored(self) -> dict[str, int]:
        if self.prompts:
            found = self.client.instructions.list()
            return {each.name: int(each.content.split()[1]) for each in found}
        return {
            each.identifier: each.content["number"] for each in self.client.configurations.list()
        }

    def files(self) -> dict[str, int]:
        kind = PROMPTS if self.prompts else CONFIGURATIONS
        documents = Folder(self.folder, kind).documents
        return {name: self._number(each) for name, each in documents.items()}

    def document(self, name: str) -> FileContent:
        """Return the file of a name."""
        return Folder(self.folder, PROMPTS if self.prompts else CONFIGURATIONS).documents[name]

    def bases(self) -> list[Any]:
        """Return what the database records about folders."""
        return self._run(f"SELECT to_json(base)::TEXT FROM {bases.TABLE} AS base")

    def forget(self) -> None:
        """Remove what the database records about folders."""
        self._run(f"DELETE FROM {bases.TABLE}")

    def restore(self, rows: list[Any]) -> None:
        """Insert what `bases` returned."""
        for (row,) in rows:
            self._run(
                f"INSERT INTO {bases.TABLE} OVERRIDING SYSTEM VALUE "
                f"SELECT * FROM json_populate_record(NULL::{bases.TABLE}, $1::JSON)",
                row,
            )

    def _run(self, sql: Any, *parameters: object) -> Any:
        statement = Statement(sql, parameters)
        database: Any = self.client._database
        done = database.run(Operation("test", (statement,), decode=list))
        return self.client._run(done) if isinstance(self.client, SyncFacade) else done

    def _number(self, document: FileContent) -> int:
        if isinstance(document, Prompt):
            return int(document.content.split()[1])
        assert isinstance(document, Configuration)
        return document.value["number"]
