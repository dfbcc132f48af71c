"""A training of the portrait bundle ends at the same weights, whether it was stopped in between or not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_store.portrait import learning
from model_store.portrait.learning import Course, learn

COURSE = Course(steps=12, learning_rate=0.05, seed=3)


class Interrupted(Exception):
    """Somebody stopped it."""


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def loss(learner: nn.Module, generator: torch.Generator) -> Tensor:
    x = torch.randn(16, 3, generator=generator)
    found: Tensor = (learner(x) - x.sum(1, keepdim=True)).square().mean()
    return found


def test_a_stopped_training_ends_where_an_unbroken_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EVERY", 5)
    unbroken = learn(network(), COURSE, loss, tmp_path / "a", lambda *_: None)
    began: list[int] = []

    def stopped_at_eight(learner: nn.Module, generator: torch.Generator) -> Tensor:
        if len(began) == 8:
            raise Interrupted
        began.append(1)
        return loss(learner, generator)

    with pytest.raises(Interrupted):
        learn(network(), COURSE, stopped_at_eight, tmp_path / "b", lambda *_: None)
    steps: list[Tensor] = []

    def counted(learner: nn.Module, generator: torch.Generator) -> Tensor:
        steps.append(loss(learner, generator))
        return steps[-1]

    resumed = learn(network(), COURSE, counted, tmp_path / "b", lambda *_: None)
    assert len(steps) == 7  # from step 5 on, where the last checkpoint is
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    assert not (tmp_path / "b").exists()


def test_the_average_of_a_training_solves_its_task(tmp_path: Path) -> None:
    trained = learn(network(), Course(400, 0.02, 1), loss, tmp_path, lambda *_: None)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        assert float(loss(trained, generator)) < 0.1 < 0.5 < float(loss(network().eval(), generator))


def test_the_learning_rate_rises_first_and_is_almost_nothing_in_the_end() -> None:
    course = Course(1000, 1e-3, 0)
    shares = [course.share(step) for step in (0, 40, 500, 1000)]
    assert shares[0] < 0.05 < 0.9 < shares[1]
    assert shares[2] == pytest.approx(0.51, abs=0.01)
    assert shares[3] < 0.02
