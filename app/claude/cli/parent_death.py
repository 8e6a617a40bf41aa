"""Has the kernel end a CLI process when its worker dies, where it can: on Linux, under gevent.

The undertaker does so everywhere, but it has to get its turn first, it may be killed itself, and it does not yet know
of a process that is just starting.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

# Of <linux/prctl.h>: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
PR_SET_PDEATHSIG = 1


def bind_to_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child calls before it becomes its program, so that it gets a signal when this process dies.

    None where that would do harm, or cannot be had. The kernel sends the signal when the *thread* that has forked ends:
    under gevent that is the main one, while a thread that serves one request ends long before its process. And code
    between fork and exec may find a lock that another thread holds; gevent runs such code anyway.
    """
    if sys.platform != "linux" or not subprocess.Popen.__module__.startswith("gevent"):
        return None
    # Found here: a child should do as little as it can.
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        # The worker's handlers are still in place, and would take the signal for theirs.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it has died already

    return bind
