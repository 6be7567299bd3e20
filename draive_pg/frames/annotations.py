"""The frame of annotations."""

from draive_pg.frames.frame import Frame
from draive_pg.operations.conversations.annotations import NO_ANNOTATIONS, ROWS

ANNOTATIONS = Frame(
    "annotations",
    {
        "identifier": "text",
        "position": "index",
        "name": "text",
        "score": "float",
        "comment": "text",
        "tags": "texts",
        "author": "text",
        "annotated": "timestamp",
        "id": "text",
    },
    ROWS,
    fallback=NO_ANNOTATIONS,
)
