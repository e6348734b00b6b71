"""The command line: parse, call, print. Nothing is decided here.

main: errors → exit codes; parser: commands and flags, without torch; flags: settings → flags;
output: progress and messages on stderr, results on stdout; train, ask, deploy, look, demo: the
commands.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from headstart.cli.output import complain
from headstart.errors import InterruptedRunError, UserError

INTERRUPTED = 130
TERMINATED = 143
BUG = 1
MISTAKE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    begun = time.monotonic()
    with _terminated_politely():
        return _run(arguments, begun)


def _run(arguments: Sequence[str] | None, begun: float) -> int:
    from headstart.cli.parser import build_parser

    try:
        options = build_parser().parse_args(arguments)
        options.begun = begun
        options.run(options)
    except UserError as error:
        complain(error)
        return MISTAKE
    except InterruptedRunError as error:
        print(f"headstart: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("headstart: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone: `headstart list | head -1`
        sys.stderr.close()
        return 0
    except Exception:
        traceback.print_exc()
        print(
            "headstart: this is a bug of headstart, not a mistake of yours. Please report it with"
            " the lines above and the command.",
            file=sys.stderr,
        )
        return BUG
    return 0


@contextmanager
def _terminated_politely() -> Iterator[None]:
    """SIGTERM runs the `finally` blocks, as SIGINT does: nothing half-written stays behind."""

    def leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's face
        print("headstart: terminated", file=sys.stderr)
        sys.exit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
