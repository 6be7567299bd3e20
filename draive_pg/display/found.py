"""The DataFrame of a search: a notebook marks what was found, and says if a limit cut it."""

import re
from html import escape

from draive_pg.dataframes import pd
from draive_pg.display import html

MARKED = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
MARK = "background:color-mix(in srgb, gold 45%, transparent);border-radius:2px"
COLUMNS = ("identifier", "position", "speaker", "excerpt", "created")


class Found(pd.DataFrame):
    """The rows of a search; everything computed from it is a usual DataFrame."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return "\n".join(filter(None, [super().__repr__(), self._note()]))

    def _repr_html_(self) -> str:
        columns = [name for name in COLUMNS if name in self.columns]
        shown = self[columns].head(html.MAX_ROWS)
        rows = [
            [Excerpt(value) if name == "excerpt" else value for name, value in row.items()]
            for row in shown.to_dict("records")
        ]
        more = len(self) - len(shown)
        notes = [f"{more:,} more rows"] if more else []
        caption = " · ".join([f"{len(self):,} rows", *notes, *filter(None, [self._note()])])
        return html.table(columns, rows, caption=caption)

    def _note(self) -> str:
        return "cut by limit, there are more" if self.attrs.get("truncated") else ""


class Excerpt(str):
    """A text in which the words that were found are between double brackets."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        marked = MARKED.sub(rf'<b style="{MARK}">\1</b>', escape(self))
        return f'<span style="{html.TEXT}">{marked}</span>'
