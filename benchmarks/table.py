"""The table of figures in docs/performance.md, between its two markers."""

from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"


def with_table(text: str, table: str) -> str:
    """Return a document with another table between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise ValueError(f"there is no place for the table: {BEGIN.strip()} … {END.strip()}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"
