"""``python -m draive_pg``: the command ``draive-pg``."""

from draive_pg.cli import main

if __name__ == "__main__":
    main()
