"""What commands exit with, beside 0 for done, 1 for failed and 2 for wrong usage."""

__all__ = ("CONFLICT", "DRIFT", "NOT_RUNNING")

DRIFT = 3
"""A folder and the database differ."""

CONFLICT = 4
"""Both sides changed, or somebody else wrote meanwhile: nothing was done."""

NOT_RUNNING = 3
"""The embedded server does not run; pg_ctl and service managers say it so."""
