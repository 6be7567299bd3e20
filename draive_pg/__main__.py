"""``draive-pg`` and ``python -m draive_pg``."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from draive_pg.cli import main as run
    except ModuleNotFoundError as error:
        sys.exit(f"draive-pg needs the package {error.name}: pip install {error.name}")
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
