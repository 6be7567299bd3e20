"""A lock that delays forks of this process."""

import os
import threading

# Held while a program is run: a process that is forked by another thread meanwhile would keep its
# pipes open, so that the program would seem to run until that process ends.
no_forks = threading.RLock()

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=no_forks.acquire,
        after_in_parent=no_forks.release,
        after_in_child=no_forks.release,
    )
