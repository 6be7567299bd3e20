"""Start a server, and stop it when no process uses it any more.

Run as a program, which outlives the process that runs it and prints the id of the server process.
It imports nothing but the standard library, so that it starts fast and stays small.
"""

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress

INTERVAL = 1.0  # seconds between two checks of a kept server that nobody uses


def main(uid: int, gid: int, lock_file: str, users_file: str, kept_file: str, *server: str) -> None:
    """Supervise a server until it exits.

    Parameters
    ----------
    uid, gid : int
        The user and the group to run as.
    lock_file, users_file, kept_file : str
        See `draive_pg.embedded.layout.Layout`.
    *server : str
        The command of the server.
    """
    if uid != os.geteuid():
        os.setgroups(())
        os.setgid(gid)
        os.setuid(uid)
    if os.fork():
        return
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, _exit_with_server)
    lock, users = (os.open(path, os.O_RDWR) for path in (lock_file, users_file))
    pid = _start(server)

    def stop(*_: object) -> None:
        os.kill(pid, signal.SIGINT)  # fast shutdown: ends the sessions and writes a checkpoint

    def kept() -> bool:
        try:
            descriptor = os.open(kept_file, os.O_RDONLY)
        except FileNotFoundError:
            return False
        with os.fdopen(descriptor) as file:
            return file.read() == str(pid)

    signal.signal(signal.SIGTERM, stop)
    with suppress(BrokenPipeError):  # the process that waits for the id may have been killed
        os.write(1, str(pid).encode())
    os.dup2(2, 1)  # closes the pipe
    while True:
        fcntl.flock(users, fcntl.LOCK_EX)  # waits until no process uses the server
        fcntl.flock(users, fcntl.LOCK_UN)
        if not kept():
            # In the order in which all processes take them.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_free(users) and not kept():
                stop()
                while True:
                    signal.pause()
            fcntl.flock(users, fcntl.LOCK_UN)
            fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(INTERVAL)


def _start(command: tuple[str, ...]) -> int:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(2, 1)  # the log
        os.execv(command[0], command)  # noqa: S606 - no shell, and every argument is ours
    return pid


def _exit_with_server(*_: object) -> None:
    if os.waitpid(-1, os.WNOHANG)[0]:
        os._exit(0)


def _is_free(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
