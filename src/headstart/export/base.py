"""The face of an export format, and what formats are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray
from torch import Tensor

from headstart.errors import UserError
from headstart.export.graph import Graph

Asked = Callable[[NDArray[Any]], dict[str, NDArray[Any]]]


@dataclass
class Work:
    """What there is to write.

    graph: in evaluation mode, on the CPU; raw: real samples as they go in, `[N, ...]`;
    about: what `describe` says; state: what `preprocessing.json` holds; config: the run's.
    """

    graph: Graph
    raw: Tensor
    about: dict[str, Any]
    state: dict[str, Any]
    config: dict[str, Any]


class Format(Protocol):
    """Writes a file or a folder, and opens it again without the run.

    suffix: of the file; "" for a folder. needs: packages beyond the core.
    """

    suffix: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    @staticmethod
    def write(path: Path, work: Work) -> None:
        """Write `path`; what belongs beside it goes beside it, named after it.

        Raises:
            UserError: the run does not fit the format.
        """
        ...

    @staticmethod
    def opened(path: Path) -> Asked:
        """What was written, as a function of raw samples `[N, ...]`: outputs by name."""
        ...


def require(packages: tuple[str, ...], what: str) -> None:
    """Raises:
    UserError: one of `packages` is not installed.
    """
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{what} needs {', '.join(missing)}, which is not installed.",
            "pip install 'headstart[export]'",
        )
