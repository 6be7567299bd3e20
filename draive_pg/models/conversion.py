"""Records of a conversion between the tables of two lines of draive."""

from dataclasses import dataclass

from draive_pg.models.record import Record, Records


@dataclass(frozen=True, slots=True, repr=False)
class ConversionLoss(Record):
    """Something that has no counterpart in the tables of the target.

    Attributes
    ----------
    subject : str
        ``conversations``, ``prompts`` or ``configurations``.
    reason : str
        What is left out or changed.
    count : int
        How often.
    name : str
        The first conversation or document with this loss.
    position : int | None
        The number of the element, turn or revision, from 0; None: all of it.
    """

    subject: str
    reason: str
    count: int
    name: str
    position: int | None


@dataclass(frozen=True, slots=True, repr=False)
class ConversionRefusal(Record):
    """A conversation or a document that is not converted.

    Attributes
    ----------
    subject : str
        ``conversations``, ``prompts`` or ``configurations``.
    name : str
        Its name.
    reason : str
        Why.
    """

    subject: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class Conversion(Record):
    """What was converted, or what would be.

    Attributes
    ----------
    source, target : str
        The lines of draive, such as ``0.89``.
    conversations, elements : int
        Conversations that are new or have grown in the target, and the elements added to them.
    documents, revisions : int
        Prompts and configurations that are new or have new revisions, labels or removals in the
        target, and the revisions added to them.
    unchanged : int
        Conversations and documents of which the target has everything already.
    losses : Records[ConversionLoss]
        What has no counterpart, in what was converted now or before.
    refused : Records[ConversionRefusal]
        What is not converted; the target has nothing of it, or something else of that name.
    dry_run : bool
        True if nothing was written.
    """

    source: str
    target: str
    conversations: int
    elements: int
    documents: int
    revisions: int
    unchanged: int
    losses: Records[ConversionLoss]
    refused: Records[ConversionRefusal]
    dry_run: bool
