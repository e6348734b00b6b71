"""Several processes: none outlives the one that was told to stop."""

from types import SimpleNamespace

import pytest

from headstart.errors import InterruptedRunError
from headstart.study import work


class Process:
    """One that works until it is terminated."""

    def __init__(self, **_):
        self.exitcode = None
        self.joined = []

    def start(self):
        pass

    def is_alive(self):
        return self.exitcode is None

    def terminate(self):
        self.exitcode = -15

    def join(self, timeout=None):
        self.joined.append(timeout)
        assert timeout is not None or self.exitcode is not None, "it would wait for all the work"


@pytest.mark.parametrize(
    ("stop", "grace"), [(SystemExit(143), []), (KeyboardInterrupt(), [work.GRACE])]
)
def test_workers_end_with_the_one_that_began_them(monkeypatch, stop, grace):
    team = []

    def begun(**_):
        team.append(Process())
        return team[-1]

    class Board(work.Silent):
        def look(self, plan, open_items):
            raise stop

    class Plan:
        items, folder = (), None

    context = SimpleNamespace(Queue=list, Process=begun)
    monkeypatch.setattr(work.multiprocessing, "get_context", lambda _: context)
    with pytest.raises(type(stop)):
        work.together(Plan, 2, Board(), None, 2)
    assert [process.exitcode for process in team] == [-15, -15]
    assert [process.joined for process in team] == [[*grace, None]] * 2


def test_an_interrupted_worker_says_so_by_its_exit_code(monkeypatch):
    def interrupted(*_):
        raise InterruptedRunError(2, "runs/one")

    monkeypatch.setattr(work, "work", interrupted)
    with pytest.raises(SystemExit) as caught:
        work._one(None, lambda _: None, 1, None)
    assert caught.value.code == 130
