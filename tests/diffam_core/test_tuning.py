"""The training loop's two ways through the photos: random draws at a falling rate, and epochs at a growing one."""

import pytest
import torch

from diffam_core.losses import RemovalWeights, Weights
from diffam_core.styles import add_style, remove_style
from diffam_core.transfer import StageRecipe
from diffam_core.tuning import Epoch, Keep, State, Terms, Tuning, ignore_loss, weighted
from model_store.bundle import Bundle


def trained(bundle: Bundle, steps: int, epoch: Epoch | None) -> tuple[list[float], list[list[int]]]:
    """The learning rates and the photos of each step; the loss is a toy, what matters is the order."""
    add_style(bundle.models.eps, "looped", 2)
    try:
        tuning = Tuning(bundle.models.eps, "looped", StageRecipe(steps, Weights(), learning_rate=1e-3, epoch=epoch), 0)
        rates: list[float] = []
        rows: list[list[int]] = []

        def weigh(_generator: torch.Generator) -> tuple[torch.Tensor, Terms]:
            rates.append(tuning.optimiser.param_groups[0]["lr"])
            rows.append(tuning.rows(5, 2).tolist())
            loss = tuning.parameters[0].square().sum()
            return loss, {"loss": loss}

        tuning.run(weigh, lambda *_: None)
        return rates, rows
    finally:
        remove_style(bundle.models.eps, "looped")


def test_an_epoch_sees_every_photo_once_in_order_and_then_learns_faster(bundle: Bundle) -> None:
    rates, rows = trained(bundle, 9, Epoch(3, 1.3))
    assert rows == 3 * [[0, 1], [2, 3], [4]]
    assert rates == pytest.approx([1e-3] * 3 + [1.3e-3] * 3 + [1.69e-3] * 3)


def test_without_epochs_photos_are_drawn_and_the_rate_falls(bundle: Bundle) -> None:
    rates, rows = trained(bundle, 4, None)
    assert rates == pytest.approx([1e-3, 8.125e-4, 6.25e-4, 4.375e-4])
    assert all(len(set(step)) == 2 for step in rows)
    assert rows == trained(bundle, 4, None)[1]


def test_a_state_is_kept_now_and_then_and_at_the_end_and_goes_on_where_it_was(bundle: Bundle) -> None:
    add_style(bundle.models.eps, "kept", 2)
    try:
        recipe = StageRecipe(5, Weights(), learning_rate=1e-3)
        tuning, states = Tuning(bundle.models.eps, "kept", recipe, 0), list[State]()

        def weigh(_generator: torch.Generator) -> tuple[torch.Tensor, Terms]:
            loss = tuning.parameters[0].square().sum()
            return loss, {"loss": loss}

        tuning.run(weigh, ignore_loss, Keep(states.append, every=2))
        assert [state["step"] for state in states] == [2, 4, 5]
        assert not any(parameter.requires_grad for parameter in tuning.parameters)
        again = Tuning(bundle.models.eps, "kept", recipe, 1)
        again.restore(states[1])
        assert again.step == 4
        assert again.optimiser.param_groups[0]["lr"] == pytest.approx(1e-3 * (1 - 0.75 * 4 / 5))
        assert torch.equal(again.generator.get_state(), states[1]["generator"])
    finally:
        remove_style(bundle.models.eps, "kept")


def test_a_loss_is_the_sum_of_its_terms_by_their_weights_and_a_term_that_is_left_out_costs_nothing() -> None:
    terms = {"l1": torch.tensor(0.5), "dodge": torch.tensor(2.0)}
    assert weighted(Weights(l1=3.0, dodge=0.25), terms) == pytest.approx(3.0 * 0.5 + 0.25 * 2.0)
    assert weighted(RemovalWeights(l1=2.0), {"l1": torch.tensor(0.5)}) == pytest.approx(1.0)
