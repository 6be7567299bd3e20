"""The classes that exist in both colours: by the name of the sync one, the module they are in."""

from draive_pg import client
from draive_pg.namespaces import configurations, frames, instructions, labels, memories, revisions

__all__ = ("TWINS",)

TWINS = {
    name: module
    for module in (client, configurations, frames, instructions, labels, memories, revisions)
    for name in module.__all__
    if not name.startswith("Async")
}
