import math

import pytest
import torch
from torch import nn

from headstart.parts.projectors import projector
from headstart.parts.teacher import follow, momentum_at, teacher_of


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def test_momentum_rises_from_its_start_to_one_along_a_cosine():
    assert momentum_at(0.0, 0.9) == pytest.approx(0.9)
    assert momentum_at(0.5, 0.9) == pytest.approx(0.95)
    assert momentum_at(0.25, 0.9) == pytest.approx(1 - 0.1 * (1 + math.sqrt(0.5)) / 2)
    assert momentum_at(1.0, 0.9) == 1.0


def test_many_steps_are_a_moving_average():
    student = network()
    teacher = teacher_of(student)
    average = student[0].weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            student[0].weight.copy_(torch.full((4, 3), float(step)))
        follow(teacher, student, 0.8)
        average = 0.8 * average + 0.2 * step
    torch.testing.assert_close(teacher[0].weight, average)


def test_a_teacher_measures_its_own_statistics():
    student = network()
    teacher = teacher_of(student)
    x = torch.randn(200, 3) * 5 + 2
    with torch.no_grad():
        for _ in range(200):
            teacher(x)
        expected = teacher[0](x).mean(dim=0)
    follow(teacher, student, 0.5)
    torch.testing.assert_close(teacher[1].running_mean, expected, rtol=1e-3, atol=1e-3)
    assert not student[1].running_mean.any()


def test_a_teacher_is_apart_from_its_student():
    student = network()
    teacher = teacher_of(student)
    mine, theirs = ({p.data_ptr() for p in m.parameters()} for m in (teacher, student))
    assert mine.isdisjoint(theirs)
    assert all(p.requires_grad for p in student.parameters())
    assert not any(p.requires_grad for p in teacher.parameters())


@pytest.mark.parametrize("last_norm", [False, True])
def test_projectors_have_the_widths_asked_for(last_norm):
    made = projector(7, (5, 4, 3), last_norm=last_norm)
    out = made(torch.randn(64, 7))
    assert [m.out_features for m in made if isinstance(m, nn.Linear)] == [5, 4, 3]
    if last_norm:
        torch.testing.assert_close(out.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(out.std(dim=0, correction=0), torch.ones(3), atol=1e-2, rtol=0)
