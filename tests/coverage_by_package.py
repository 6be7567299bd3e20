"""Print the coverage of each package of draive_pg, for ``./dev coverage``."""

from collections import defaultdict
from pathlib import Path

from coverage import Coverage

import draive_pg

PACKAGE = Path(draive_pg.__file__).parent


def main() -> None:
    coverage = Coverage()
    coverage.load()
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for path in sorted(PACKAGE.rglob("*.py")):
        _, statements, _, missing, _ = coverage.analysis2(str(path))
        package = path.relative_to(PACKAGE).parent.as_posix()
        for name in ("draive_pg" if package == "." else f"draive_pg/{package}", "all"):
            counts[name][0] += len(statements)
            counts[name][1] += len(missing)
    for name, (statements, missing) in counts.items():
        percent = 100 * (1 - missing / statements) if statements else 100
        print(f"{name:<36} {statements:>6} statements {percent:>6.1f} %")


if __name__ == "__main__":
    main()
