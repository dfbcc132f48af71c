"""What code relies on of every network, whatever its size: shapes, units, channels by name."""

from typing import Any

import pytest
import torch

from diffam_core.models import Recogniser
from diffam_core.networks.clip import Clip
from diffam_core.networks.parser import CHANNELS, DETAILS, FaceParser, region
from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.networks.unet import EpsModel

SMALLEST: dict[str, dict[str, Any]] = {
    "ir": {"widths": [4, 8], "depths": [1, 1], "stem_stride": 2, "squeeze": False, "embedding_dim": 6, "side": 2},
    "inception": {"widths": [4, 8], "depths": [0, 1], "branch": 4, "embedding_dim": 6},
    "mobile": {"widths": [4, 8], "depths": [1, 1], "side": 4, "embedding_dim": 6},
    "transformer": {"stem": [4, 8], "width": 16, "depth": 1, "heads": 2, "tokens": 16, "embedding_dim": 6},
}
UNET = {
    "in_channels": 12, "out_channels": 12, "layers_per_block": 1, "block_out_channels": [8, 8], "norm_num_groups": 4,
    "down_block_types": ["DownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "UpBlock2D"],
}  # fmt: skip
CLIP = {
    "embed_dim": 6,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 8, "head_width": 4, "layers": 1},
    "text_cfg": {"context_length": 8, "vocab_size": 5, "width": 8, "heads": 2, "layers": 1},
}
CLIP_ENDS = [0, 1449, 2225, 49406, 49407]
"""Nothing, two words, and the marks that begin and end a text."""


@pytest.mark.parametrize("kind", SMALLEST)
def test_a_recogniser_of_any_family_gives_unit_embeddings_of_portraits_of_any_size(kind: str) -> None:
    torch.manual_seed(0)
    recogniser = Recogniser(kind, ARCHITECTURES[kind](**SMALLEST[kind]).eval(), 32, {})
    portraits = torch.rand(3, 3, 64, 64, requires_grad=True)
    seen = recogniser.embed(portraits)
    assert seen.shape == (3, 6)
    assert seen.norm(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    (gradient,) = torch.autograd.grad(seen[:, 0].sum(), portraits)
    assert gradient.abs().max() > 0


def test_squeezing_adds_gates_to_every_block_and_biases_only_where_asked() -> None:
    def gates(**asked: Any) -> list[str]:
        network = ARCHITECTURES["ir"](**SMALLEST["ir"] | {"widths": [16, 16], "squeeze": True} | asked)
        return [key for key in network.state_dict() if ".gates." in key]

    assert len(gates()) == 2 * 4
    assert len(gates(squeeze_bias=False)) == 2 * 2
    assert not [key for key in ARCHITECTURES["ir"](**SMALLEST["ir"]).state_dict() if ".gates." in key]


def test_a_size_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError, match="height"):
        ARCHITECTURES["ir"](**SMALLEST["ir"] | {"height": 3})


def test_a_region_is_known_by_its_name() -> None:
    told = torch.arange(4.0).view(1, 4, 1, 1).expand(2, 4, 3, 3)
    assert [float(region(told, name).unique()) for name in CHANNELS] == [0, 1, 2, 3]
    assert region(told, "face").shape == (2, 1, 3, 3)
    with pytest.raises(ValueError, match="not in"):
        region(told, "hair")
    with pytest.raises(ValueError, match="no details"):
        region(told, "brows")


def test_a_parser_tells_every_region_at_the_size_of_the_portrait_and_details_behind_them() -> None:
    portraits = torch.zeros(2, 3, 32, 32)
    assert FaceParser([4, 8, 8]).eval()(portraits).shape == (2, len(CHANNELS), 32, 32)
    detailed = FaceParser([4, 8, 8], details=True).eval()(portraits)
    assert detailed.shape == (2, len(CHANNELS) + len(DETAILS), 32, 32)
    assert torch.equal(region(detailed, "mouth"), detailed[:, -1:])


def test_a_noise_predictor_that_folds_space_or_learned_sigma_gives_noise_of_the_pictures_shape() -> None:
    x_t, timesteps = torch.randn(2, 3, 16, 16), torch.tensor([1, 900])
    assert EpsModel(2, UNET)(x_t, timesteps).shape == x_t.shape
    sigma = EpsModel(1, UNET | {"in_channels": 3, "out_channels": 6})
    assert sigma(x_t, timesteps).shape == x_t.shape
    assert torch.equal(sigma(x_t, timesteps), sigma.unet(x_t, timesteps).sample[:, :3])


def test_whole_styles_move_with_their_network_but_are_not_among_its_weights() -> None:
    eps, style = EpsModel(2, UNET), EpsModel(2, UNET)
    keys = set(eps.state_dict())
    eps.full_styles["worn"] = style
    eps.to(torch.float64)
    assert next(style.parameters()).dtype == torch.float64
    assert set(eps.state_dict()) == keys


def test_a_small_vocabulary_keeps_the_order_of_words_and_the_end_of_a_text_the_largest() -> None:
    tower = Clip(CLIP, CLIP_ENDS, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).eval()
    tokens = tower.tokens(["", "unheard"])
    assert tokens.shape == (2, 8)
    assert tokens[0].tolist() == [3, 4, 0, 0, 0, 0, 0, 0]
    assert int(tokens[1].argmax()) == tokens[1].tolist().index(4)
    assert tower.embed_texts(["", "unheard"]).norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert tower.embed_images(torch.zeros(1, 3, 40, 40)).shape == (1, 6)
