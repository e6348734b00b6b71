"""Means of figures between two lines of the log."""

import pytest
import torch

from headstart.training.figures import Figures


def test_a_figure_that_ends_between_two_lines_leaves_the_others_their_steps():
    figures, sound = Figures(), torch.tensor(data=True)
    for _ in range(9):
        figures.add({"loss": torch.tensor(10.0), "lead": torch.tensor(2.0)}, 4, sound)
    figures.add({"loss": torch.tensor(1.0)}, 4, sound)
    assert figures.means() == pytest.approx({"loss": 9.1, "lead": 2.0})
    assert figures.means() == {}


def test_means_are_weighted_and_leave_out_what_is_unsound():
    figures = Figures()
    figures.add({"loss": torch.tensor(1.0)}, 1, torch.tensor(data=True))
    figures.add({"loss": torch.tensor(3.0)}, 3, torch.tensor(data=True))
    figures.add({"loss": torch.tensor(torch.nan)}, 9, torch.tensor(data=False))
    assert figures.means() == pytest.approx({"loss": 2.5})
