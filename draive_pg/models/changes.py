"""Records of changes, as the database notifies of them."""

from dataclasses import dataclass

from draive_pg.models.record import Record


@dataclass(frozen=True, slots=True, repr=False)
class Change(Record):
    """A committed change of a document or of its labels.

    Attributes
    ----------
    schema : str | None
        The schema of its table; None if changes were missed.
    kind : str | None
        The table: ``"instructions"``, ``"configurations"`` or ``"templates"``; None if changes
        were missed.
    name : str | None
        The name of the document; None for a name of more than 2,000 bytes, when all were removed
        by ``TRUNCATE``, or if changes were missed.
    missed : bool
        True if the connection was lost and restored, so that changes may have been missed: read
        again what you need.
    """

    schema: str | None
    kind: str | None
    name: str | None
    missed: bool
