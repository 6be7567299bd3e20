"""The embedded PostgreSQL server, started and stopped by the processes that use it."""

from draive_pg.embedded.layout import default_data
from draive_pg.embedded.server import Server

__all__ = (
    "Server",
    "default_data",
)
