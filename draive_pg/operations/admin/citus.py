"""Nodes and tables of a Citus cluster, in which `distribute.sql` distributes memories."""

from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString, cast

from draive_pg.operations.operation import Operation, Query, read_rows

# The tables with rows of memories. Those that `distribute.sql` leaves on the coordinator may be on
# one node, because each statement about prompts and configurations reads them alone.
DISTRIBUTED = (
    "memories",
    "memories_variables",
    "memories_elements",
    "draive_pg_removed_elements",
    "draive_pg_keys",
    "draive_pg_annotations",
    "draive_pg_ttl",
)

# Whether the functions and tables below exist.
HAS_CITUS: LiteralString = "to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL"

IS_WORKER = Query("cluster.is_worker", "SELECT groupid <> 0 FROM pg_catalog.pg_dist_local_group")

SIZES = Query(
    "cluster.sizes",
    """
SELECT relname::TEXT, citus_total_relation_size(logicalrelid)
FROM pg_catalog.pg_dist_partition
JOIN pg_class ON pg_class.oid = logicalrelid
WHERE relnamespace = to_regnamespace(quote_ident(:schema::TEXT))
""",
)


def is_worker() -> Operation[bool]:
    """Return whether the node is a worker, and not the coordinator."""
    return read_rows("look at the node of the cluster", IS_WORKER(), lambda rows: rows[0][0])


def sizes(schema: str | None) -> Operation[Mapping[str, int]]:
    """Return the sizes of the distributed tables on all nodes by their names."""
    return read_rows(
        "look at the distributed tables",
        SIZES(schema=schema),
        lambda rows: dict(cast("Sequence[tuple[str, int]]", rows)),
    )


def problems(present: Iterable[str], distributed: Iterable[str], *, worker: bool) -> list[str]:
    """Return the problems of the layout of a cluster."""
    found: list[str] = []
    if worker:
        found.append(
            "this server is a worker of a Citus cluster, which has no prompts and configurations: "
            "connect to the coordinator"
        )
    elif "memories" in distributed:
        local = [name for name in DISTRIBUTED if name in {*present} - {*distributed}]
        if local:
            found.append(
                f"not distributed, unlike memories: {', '.join(local)}: apply "
                "schema/citus/distribute.sql again"
            )
    return found
