"""Processes of their own that begin at once: copies of this one, which has imported everything.

A new Python that trains imports for ten seconds of a processor; a copy is there in milliseconds.
"""

import os
import signal
import socket
import sys
import traceback
import warnings
from functools import partial

from headstart.errors import InterruptedRunError


def begun(work, log):
    """The id of a copy of this process that does `work()`, whose result is its exit code.

    What it writes to its standard output and error is in the file `log`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that the copy has not
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(pid):
    """The exit code of such a process, once it is over; of a signal its negative."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def is_over(pid):
    """Whether it has ended, without taking its exit code."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def together(work, log, count=2):
    """Exit codes of forked processes that each call `work(rank)` and know of one another."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def of_rank(rank):
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count),
            MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        )  # fmt: skip
        try:
            work(rank)
        except InterruptedRunError as error:
            return error.exit_code
        return 0

    pids = [begun(partial(of_rank, rank), log / f"rank-{rank}.txt") for rank in range(count)]
    return [ended(pid) for pid in pids]


def said(log):
    return "\n".join(path.read_text() for path in log.glob("rank-*.txt"))


class Killer:
    """Sends this process a signal half way."""

    def update(self, progress, text):
        if progress >= 0.5:
            os.kill(os.getpid(), signal.SIGTERM)
