"""The tables as pandas DataFrames and files."""

from draive_pg.codec.validation import shown
from draive_pg.frames.annotations import ANNOTATIONS
from draive_pg.frames.audit import AUDIT
from draive_pg.frames.conversations import CONVERSATION_LOG, SESSIONS, TOOL_CALLS, VARIABLES
from draive_pg.frames.frame import Frame
from draive_pg.frames.removed_elements import REMOVED_ELEMENTS
from draive_pg.frames.revisions import (
    CONFIGURATIONS,
    INSTRUCTION_REVISIONS,
    TEMPLATE_REVISIONS,
)

__all__ = ("FRAMES", "frame_named")

FRAMES = {
    frame.name: frame
    for frame in (
        CONVERSATION_LOG,
        TOOL_CALLS,
        SESSIONS,
        VARIABLES,
        INSTRUCTION_REVISIONS,
        TEMPLATE_REVISIONS,
        CONFIGURATIONS,
        AUDIT,
        REMOVED_ELEMENTS,
        ANNOTATIONS,
    )
}


def frame_named(name: str) -> Frame:
    """Return the frame of a name, or raise ValueError."""
    if name not in FRAMES:
        raise ValueError(f"there is no frame {shown(name)}, only {', '.join(FRAMES)}")
    return FRAMES[name]
