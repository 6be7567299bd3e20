"""Names that are hard to keep in files, and what a folder contains."""

from pathlib import Path

__all__ = ("HOSTILE_NAMES", "file_contents")

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
