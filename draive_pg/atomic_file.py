"""Write files atomically: to drafts on the same file system, which then replace the files."""

import io
import os
import shutil
import stat
import sys
from collections.abc import Buffer, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import batched
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Self

from draive_pg.errors import FileInvalid

if sys.platform != "win32":
    import fcntl

PRIVATE = 0o600  # for files with conversations
USUAL = 0o666  # for other files: the umask decides

SYNCED_AT_ONCE = 16
FILES_PER_CALL = 16  # of a thread

_PREFIX = ".draive_pg-"
_BINARY = getattr(os, "O_BINARY", 0)  # Windows


class Drafts:
    """Context manager: write drafts of files, which replace the files on `complete`.

    Without `complete` the files stay as they were, and the drafts are removed. The drafts are in a
    hidden directory that only its owner can enter and that git ignores. If the process is killed,
    the next write in the same folder removes it.

    Parameters
    ----------
    folder : Path
        The folder of the files or of their folders, on the same file system.
    mode : int
        Permissions of new files, less the umask. A replaced file keeps its permissions and, if this
        process may set them, its owner and group.
    """

    def __init__(self, folder: Path, *, mode: int) -> None:
        self._folder = folder
        self._mode = mode
        self._directory: Path | None = None
        self._lock: int | None = None
        self._drafts: dict[Path, Path] = {}
        self._unsynced: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    @contextmanager
    def open(self, file: Path, *, follow: bool = True) -> Generator[IO[bytes]]:
        """Open the draft of a file for a block.

        Parameters
        ----------
        file : Path
            The file.
        follow : bool
            Whether a symbolic link is followed, or else replaced.

        Raises
        ------
        FileInvalid
            If the file exists and is not a regular file.
        OSError
            If the draft cannot be written; the error names the file.
        """
        target = file.resolve() if follow else file
        if _exists_otherwise(target):
            raise FileInvalid(f"{str(file)!r:.200} exists and is not a regular file")
        with _naming(target):
            directory = self._directory or self._create_directory()
            draft = directory / str(len(self._drafts) + len(self._unsynced))
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, self._mode)
            with _Draft(io.FileIO(descriptor, "wb"), target) as opened:
                yield opened
        self._unsynced[target] = draft

    def sync(self) -> None:
        """Write the drafts to disk, which takes most of the time."""
        _sync_all(self._unsynced.items(), os.O_RDWR | _BINARY)
        self._drafts |= self._unsynced
        self._unsynced.clear()

    def complete(self) -> None:
        """Replace the files, and write the replacements to disk."""
        self.sync()
        for target, draft in self._drafts.items():
            with _naming(target):
                _keep_permissions(target, draft)
                os.replace(draft, target)  # noqa: PTH105 - `Path.replace` makes a path
        if os.name == "posix":
            folders = {target.parent for target in self._drafts}
            _sync_all(zip(folders, folders, strict=True), os.O_RDONLY)

    def __exit__(self, *error: object) -> None:
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            if self._lock is not None:
                os.close(self._lock)

    def _create_directory(self) -> Path:
        for abandoned in self._folder.glob(f"{_PREFIX}*/"):
            if (lock := _lock(abandoned)) is not None:
                shutil.rmtree(abandoned, ignore_errors=True)
                os.close(lock)
        created = self._directory = Path(mkdtemp(prefix=".tmp-", dir=self._folder))
        (created / ".gitignore").write_text("*\n")
        self._lock = _lock(created)
        # Renamed when it is locked, so that it never looks abandoned.
        renamed = created.with_name(created.name.replace(".tmp-", _PREFIX))
        self._directory = created.rename(renamed)
        return self._directory


@contextmanager
def replacing(file: Path) -> Generator[IO[bytes]]:
    """Write a private file, which appears or is replaced when the block ends without an error."""
    with Drafts(file.resolve().parent, mode=PRIVATE) as drafts:
        with drafts.open(file) as draft:
            yield draft
        drafts.complete()


class _Draft(io.BufferedWriter):
    """A draft whose errors name the file, also where the block does not see them."""

    def __init__(self, raw: io.FileIO, file: Path) -> None:
        super().__init__(raw)
        self._file = file

    def write(self, data: Buffer, /) -> int:
        with _naming(self._file):
            return super().write(data)


def _exists_otherwise(file: Path) -> bool:
    """Return whether something exists that is not a regular file."""
    try:
        return not stat.S_ISREG(os.stat(file).st_mode)  # noqa: PTH116 - takes half of the time
    except (OSError, ValueError):
        return False


def _sync_all(files: Iterable[tuple[Path, Path]], flags: int) -> None:
    """Write files to disk, many at once, which file systems do together.

    Parameters
    ----------
    files : iterable of (Path, Path)
        The path for errors, and the path of the file.
    flags : int
        How to open the files.
    """

    def sync(files: Iterable[tuple[Path, Path]]) -> None:
        for named, file in files:
            with _naming(named):
                descriptor = os.open(file, flags)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    batches = [*batched(files, FILES_PER_CALL, strict=False)]
    if len(batches) > 1:
        with ThreadPoolExecutor(SYNCED_AT_ONCE) as pool:
            list(pool.map(sync, batches))
    else:  # also at the exit of the interpreter, where no thread can be started
        for batch in batches:
            sync(batch)


def _lock(directory: Path) -> int | None:
    """Lock a directory and return its descriptor; None if it is in use, gone or not lockable."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # removed by the process that used it
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # some network file systems do not support it
        os.close(descriptor)
        return None
    return descriptor


def _keep_permissions(target: Path, draft: Path) -> None:
    with suppress(FileNotFoundError):
        status = os.lstat(target)
        if not stat.S_ISREG(status.st_mode):  # a symbolic link that is replaced
            return
        mode = stat.S_IMODE(status.st_mode)
        if os.name == "posix":
            try:
                os.chown(draft, status.st_uid, status.st_gid)
            except PermissionError:
                try:
                    os.chown(draft, -1, status.st_gid)
                except PermissionError:
                    mode &= ~stat.S_IRWXG  # they were meant for another group
        draft.chmod(mode)


@contextmanager
def _naming(file: Path) -> Generator[None]:
    """Make errors of the operating system name the file instead of its draft."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename == str(file):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(file)) from error
