"""The one training loop of the method: fine-tunes a style of the noise predictor, and resumes to the bit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffam_core.losses import RemovalWeights, Weights
from diffam_core.networks.unet import EpsModel
from diffam_core.styles import style_parameters

Terms = dict[str, Float[Tensor, ""]]
OnLoss = Callable[[int, int, dict[str, float]], None]
"""`on_loss(step, steps, terms)` after each step; what it raises ends the training."""


class State(TypedDict):
    """A training between two steps: tensors, numbers and containers only."""

    step: int
    parameters: list[Tensor]
    optimiser: dict[str, Any]
    schedule: dict[str, Any]
    generator: Tensor


@dataclass(frozen=True)
class Keep:
    """Where a training's state goes: `write` gets it after `every` steps, and at the end."""

    write: Callable[[State], None]
    every: int = 10


def weighted(weights: Weights | RemovalWeights, terms: Terms) -> Float[Tensor, ""]:
    """The sum of the terms that are there, each times its field of `weights`."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()


@dataclass(frozen=True)
class Epoch:
    """One pass over all photos: how many steps it takes, and by what the learning rate grows after it."""

    steps: int
    growth: float = 1.0


@runtime_checkable
class Pace(Protocol):
    """How long and how fast a style learns; the recipes are one.

    The learning rate falls linearly to `final_rate` of itself; with an `epoch` it grows from pass to pass instead.
    """

    @property
    def steps(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def final_rate(self) -> float: ...
    @property
    def epoch(self) -> Epoch | None: ...


def ignore_loss(step: int, steps: int, terms: dict[str, float]) -> None:
    """The `OnLoss` of those who do not look."""


class Tuning:
    """The state of a training: a style's parameters, optimiser, schedule, random numbers, and the step reached."""

    def __init__(self, eps: EpsModel, style: str, pace: Pace, seed: int) -> None:
        self.style, self.steps, self.epoch = style, pace.steps, pace.epoch
        self.parameters = style_parameters(eps, style)
        self.optimiser = torch.optim.Adam(self.parameters, pace.learning_rate)
        self.schedule: torch.optim.lr_scheduler.LRScheduler = (
            torch.optim.lr_scheduler.LinearLR(self.optimiser, 1.0, pace.final_rate, pace.steps)
            if pace.epoch is None
            else torch.optim.lr_scheduler.StepLR(self.optimiser, pace.epoch.steps, pace.epoch.growth)
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0

    def rows(self, count: int, batch: int) -> Int[Tensor, " chosen"]:
        """Which of `count` photos this step sees: a random draw, or within epochs the next ones, each once a pass."""
        if self.epoch is None:
            return torch.randperm(count, generator=self.generator)[:batch]
        first = self.step % self.epoch.steps * batch
        return torch.arange(first, min(first + batch, count))

    def state(self) -> State:
        """All that a later run needs to go on exactly here."""
        return {
            "step": self.step,
            "parameters": [p.detach().clone() for p in self.parameters],
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: State) -> None:
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
        keep: Keep | None = None,
    ) -> None:
        """Train to the end, then freeze the style again.

        weigh: draws what it needs from the generator and returns the loss and its unweighted terms.
        """
        while self.step < self.steps:
            loss, terms = weigh(self.generator)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
            self.optimiser.step()
            self.schedule.step()
            self.step += 1
            if keep is not None and (self.step % keep.every == 0 or self.step == self.steps):
                keep.write(self.state())
            on_loss(self.step, self.steps, {name: float(term.detach()) for name, term in terms.items()})
        for parameter in self.parameters:
            parameter.requires_grad_(False)
