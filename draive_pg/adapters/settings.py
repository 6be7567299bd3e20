"""The environment variables of haiway's pools, with the defaults of the installed haiway."""

from importlib.util import find_spec
from os import environ

# Until haiway 0.56, these also complete a DSN, and TLS is optional.
MERGED = find_spec("haiway.postgres.config") is not None

POSTGRES_CONNECTIONS = int(environ.get("POSTGRES_CONNECTIONS") or 1)
POSTGRES_DATABASE = environ.get("POSTGRES_DATABASE") or "postgres"
POSTGRES_HOST = environ.get("POSTGRES_HOST") or "localhost"
POSTGRES_PASSWORD = environ.get("POSTGRES_PASSWORD") or ("postgres" if MERGED else None)
POSTGRES_PORT = environ.get("POSTGRES_PORT") or "5432"
POSTGRES_SSLMODE = environ.get("POSTGRES_SSLMODE") or ("prefer" if MERGED else "require")
POSTGRES_USER = environ.get("POSTGRES_USER") or "postgres"
