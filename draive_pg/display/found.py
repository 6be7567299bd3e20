"""The DataFrame of a search, which says if a limit cut it."""

from draive_pg.dataframes import pd
from draive_pg.display import frame


class Found(pd.DataFrame):
    """The rows of a search; everything computed from it is a usual DataFrame."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return "\n".join(filter(None, [super().__repr__(), self._note()]))

    def _repr_html_(self) -> str:
        return frame.table(self, self._note())

    def _note(self) -> str:
        return "cut by limit, there are more" if self.attrs.get("truncated") else ""
