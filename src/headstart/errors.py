"""What headstart says when it cannot go on: one sentence a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class UserError(Exception):
    """Something the user can mend: the command line prints it and exits with code 2.

    `message` says what is wrong, naming file, row and column where there are any; each of
    `hints` is a further line: what was expected, what to do next.
    """

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints

    def __str__(self) -> str:
        return "\n".join([self.message, *self.hints])


class DivergedError(UserError):
    """Training went astray: with other settings, or another objective, it need not."""


class InterruptedRunError(Exception):
    """A signal ended a run after its checkpoint was saved; exit code 128 + the signal's number."""

    def __init__(self, signal_number: int, folder: str) -> None:
        super().__init__(
            f"interrupted; everything is saved. Repeat the command with --resume to continue"
            f" {folder}"
        )
        self.exit_code = 128 + signal_number


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None when none is close."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def unknown(kind: str, name: str, known: Sequence[str]) -> UserError:
    """The error for a name that is in no table: the nearest one first, then all of them."""
    guess = nearest(name, known)
    hint = f"Did you mean {guess}? " if guess else ""
    return UserError(f"there is no {kind} '{name}'.", f"{hint}Known: {', '.join(known)}.")
