"""The one training loop of the method: fine-tunes a style of the noise predictor, and resumes to the bit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffam_core.networks.unet import EpsModel
from diffam_core.styles import style_parameters

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Terms = dict[str, Tensor]
OnLoss = Callable[[int, int, dict[str, float]], None]
"""`on_loss(step, steps, terms)` after each step; what it raises ends the training."""
KEEP_EVERY = 10
"""Steps between two checkpoints."""


def weighted(weights: "DataclassInstance", terms: Terms) -> Tensor:
    """The sum of the terms that are there, each times its field of `weights`."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()


@dataclass(frozen=True)
class Epoch:
    """One pass over all photos: how many steps it takes, and by what the learning rate grows after it."""

    steps: int
    growth: float = 1.0


def ignore_loss(step: int, steps: int, terms: dict[str, float]) -> None:
    """The `OnLoss` of those who do not look."""


class Tuning:
    """The state of a training: a style's parameters, optimiser, schedule, random numbers, and the step reached.

    The learning rate falls linearly to `final_rate` of itself; with an `epoch` it grows from pass to pass instead.
    """

    def __init__(
        self,
        eps: EpsModel,
        style: str,
        steps: int,
        learning_rate: float,
        final_rate: float,
        seed: int,
        epoch: Epoch | None = None,
    ) -> None:
        self.style, self.steps, self.epoch = style, steps, epoch
        self.parameters = style_parameters(eps, style)
        self.optimiser = torch.optim.Adam(self.parameters, learning_rate)
        self.schedule: torch.optim.lr_scheduler.LRScheduler = (
            torch.optim.lr_scheduler.LinearLR(self.optimiser, 1.0, final_rate, steps)
            if epoch is None
            else torch.optim.lr_scheduler.StepLR(self.optimiser, epoch.steps, epoch.growth)
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0

    def rows(self, count: int, batch: int) -> Tensor:
        """Which of `count` photos this step sees: a random draw, or within epochs the next ones, each once a pass."""
        if self.epoch is None:
            return torch.randperm(count, generator=self.generator)[:batch]
        first = self.step % self.epoch.steps * batch
        return torch.arange(first, min(first + batch, count))

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on exactly here; tensors, numbers and containers only."""
        return {
            "step": self.step,
            "parameters": [p.detach().clone() for p in self.parameters],
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of a run with the same recipe."""
        self.step = state["step"]
        with torch.no_grad():
            for parameter, saved in zip(self.parameters, state["parameters"], strict=True):
                parameter.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])

    def run(
        self,
        weigh: Callable[[torch.Generator], tuple[Tensor, Terms]],
        on_loss: OnLoss,
        keep: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Train to the end, then freeze the style again.

        weigh: draws what it needs from the generator and returns the loss and its unweighted terms.
        keep: called with `state()` every `KEEP_EVERY` steps and at the end.
        """
        while self.step < self.steps:
            loss, terms = weigh(self.generator)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
            self.optimiser.step()
            self.schedule.step()
            self.step += 1
            if keep is not None and (self.step % KEEP_EVERY == 0 or self.step == self.steps):
                keep(self.state())
            on_loss(self.step, self.steps, {name: float(term.detach()) for name, term in terms.items()})
        for parameter in self.parameters:
            parameter.requires_grad_(False)
