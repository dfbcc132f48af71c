"""How the networks of the portrait bundle learn: fixed steps, a running average of the weights, and to be resumed."""

import copy
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffam_core.tuning import State
from model_store.training.checkpoints import Checkpoints, resume
from model_store.training.stages import OnStep

EVERY = 100
"""Steps between checkpoints."""
TOLD_EVERY = 10
WARM_UP, LEAST_SHARE = 40, 0.01
"""Of the learning rate: steps until it is reached, and what is left of it in the end."""
Loss = Callable[[nn.Module, torch.Generator], Float[Tensor, ""]]
"""`loss(network, generator)` of one random batch."""


@dataclass(frozen=True)
class Course:
    """Steps and rate of a training: AdamW, the rate falling along a cosine.

    decay: of the running average, once it has seen many steps.
    """

    steps: int
    learning_rate: float
    seed: int
    weight_decay: float = 1e-3
    decay: float = 0.997

    def share(self, step: int) -> float:
        """How much of the learning rate a step uses."""
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / self.steps))
        return min(1.0, (step + 1) / WARM_UP) * cosine + LEAST_SHARE


class Learning:
    """A network that learns, and the running average of it, which is what is kept in the end."""

    def __init__(self, network: nn.Module, course: Course) -> None:
        self.network, self.course, self.step = network.train(), course, 0
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), course.learning_rate, (0.9, 0.99), weight_decay=course.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, course.share)
        self.generator = torch.Generator().manual_seed(course.seed)
        self.parameters = [*network.state_dict().values(), *self.average.state_dict().values()]

    def state(self) -> State:
        """All that a later run needs to go on exactly here."""
        return {
            "step": self.step,
            "parameters": self.parameters,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: State) -> None:
        """Go on from `state()` of a run with the same course."""
        self.step = state["step"]
        for value, saved in zip(self.parameters, state["parameters"], strict=True):
            value.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])

    def learn(self, loss: Loss) -> float:
        """One step; returns its loss."""
        found = loss(self.network, self.generator)
        self.optimiser.zero_grad(set_to_none=True)
        found.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self._follow(1 - min(self.course.decay, (self.step + 1) / (self.step + 10)))
        self.step += 1
        return float(found.detach())

    @torch.no_grad()
    def _follow(self, share: float) -> None:
        """Let the average go a share of the way to the network; counters are copied."""
        for kept, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(value, share)
            else:
                kept.copy_(value)


def learn(network: nn.Module, course: Course, loss: Loss, checkpoints: Path, on_step: OnStep) -> nn.Module:
    """Train to the end of the course, from the last checkpoint if there is one; returns the averaged network.

    checkpoints: a folder that only this training uses; it is gone in the end.
    """
    learning = Learning(network, course)
    keep = resume(learning, Checkpoints(checkpoints, EVERY), (course,))
    while learning.step < course.steps:
        value = learning.learn(loss)
        if keep is not None and learning.step % keep.every == 0:
            keep.write(learning.state())
        if learning.step % TOLD_EVERY == 0 or learning.step == course.steps:
            on_step(learning.step, course.steps, value)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return learning.average
