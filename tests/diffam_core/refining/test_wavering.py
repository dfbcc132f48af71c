"""Networks that waver are other ones at every look, and themselves again afterwards."""

import pytest
import torch
from torch import nn

from diffam_core.refining.wavering import wavering


def _chances(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))


def test_a_network_differs_at_every_look_and_is_itself_again_afterwards() -> None:
    network, x = _network(), torch.ones(1, 3, 8, 8)
    plain, chances = network(x), _chances(1)
    with wavering(network, chances, 0.1):
        first, second = network(x), network(x)
    assert not torch.allclose(first, plain)
    assert not torch.allclose(first, second)
    assert torch.equal(network(x), plain)


def test_a_network_is_itself_again_after_an_error() -> None:
    network, x = _network(), torch.ones(1, 3, 8, 8)
    plain = network(x)
    with pytest.raises(ValueError, match="in between"), wavering(network, _chances(1), 0.1):
        raise ValueError("in between")
    assert torch.equal(network(x), plain)


def test_no_picture_is_scaled_by_the_chance_of_another() -> None:
    network, x = _network(), torch.ones(2, 3, 8, 8)
    with wavering(network, _chances(1, 2), 0.1):
        together = network(x)
    with wavering(network, _chances(2), 0.1):
        alone = network(x[1:])
    assert torch.allclose(together[1:], alone, atol=1e-6)


def test_channels_waver_as_much_as_was_asked_for() -> None:
    layer = nn.Conv2d(1, 4000, 1, bias=False)
    nn.init.ones_(layer.weight)
    with wavering(layer, _chances(3), 0.06):
        factors = layer(torch.ones(1, 1, 1, 1)).detach()
    assert abs(float(factors.std()) - 0.06) < 0.005
    assert abs(float(factors.mean()) - 1) < 0.005
