"""Execution of requests: connections, transactions and the cache, sync and async."""

from draive_pg.database._async import AsyncDatabase
from draive_pg.database._sync import Database

__all__ = ("AsyncDatabase", "Database")
