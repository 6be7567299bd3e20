"""The classes that exist in both colours: by the name of the sync one, the module they are in."""

from draive_pg import client
from draive_pg.namespaces import (
    analysis,
    configurations,
    frames,
    instructions,
    labels,
    memories,
    memory,
    revisions,
)

__all__ = ("TWINS",)

TWINS = {
    name: module
    for module in (
        client,
        analysis,
        configurations,
        frames,
        instructions,
        labels,
        memories,
        memory,
        revisions,
    )
    for name in module.__all__
    if not name.startswith("Async")
}
