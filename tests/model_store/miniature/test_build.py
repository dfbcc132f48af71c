"""What `diffam models build` makes is what ships: the same manifest, networks of the same form, learning."""

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from model_store.catalog import BUNDLES, read_manifest
from model_store.manifest import Manifest, RecogniserRow
from model_store.miniature import build, diffusion, perception, recognition
from model_store.miniature.styling import STYLES
from model_store.rendered.captions import BANK, truths
from model_store.rendered.portraits import Portraits, population
from model_store.training.small_clip import build_clip

MINI = BUNDLES / "mini"


@pytest.fixture(scope="module")
def people() -> Portraits:
    return population(16, 5, seed=1, size_px=64)


def shapes_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def without_thresholds(rows: dict[str, RecogniserRow]) -> dict[str, dict[str, object]]:
    return {name: {key: value for key, value in row.items() if key != "thresholds"} for name, row in rows.items()}


def test_the_manifest_is_the_one_that_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "CALIBRATION_IDENTITIES", 8)  # thresholds take 300 people and a minute
    shipped, built = read_manifest(MINI), build._manifest(MINI)
    assert without_thresholds(built["recognisers"]) == without_thresholds(shipped["recognisers"])
    calibrated: Manifest = {"recognisers": shipped["recognisers"]}
    rest: Manifest = {"styles": [build._style_row(stage) for stage in STYLES], "files": shipped["files"]}
    assert built | calibrated | rest == shipped


@pytest.mark.parametrize("name", sorted(recognition.RECIPES))
def test_a_recogniser_has_the_form_of_the_one_that_ships(name: str) -> None:
    assert shapes_of(recognition.build(recognition.RECIPES[name])) == shipped_shapes(name)


def test_the_other_networks_have_the_form_of_those_that_ship() -> None:
    assert shapes_of(diffusion.build_unet()) == shipped_shapes("unet")
    clip = build_clip(BANK, perception.VISION, perception.CLIP_SEED)
    assert shapes_of(clip) == shipped_shapes("clip")


def shipped_shapes(name: str) -> dict[str, tuple[int, ...]]:
    with safe_open(MINI / f"{name}.safetensors", "pt") as file:
        return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  # no dict


def moved(before: dict[str, Tensor], network: nn.Module) -> bool:
    return any(not torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_the_noise_predictor_learns_and_its_running_mean_is_handed_out(people: Portraits) -> None:
    told: list[tuple[int, int]] = []
    before = {key: value.clone() for key, value in diffusion.build_unet().state_dict().items()}
    network = diffusion.train_unet(people, lambda step, steps, _loss: told.append((step, steps)), steps=2)
    assert told == [(1, 2), (2, 2)]
    assert moved(before, network)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_clip_is_frozen_once_it_has_read_its_captions(people: Portraits) -> None:
    network = build_clip(BANK, perception.VISION, 0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    captioned = perception.Captioned(people.images, list(BANK), truths(people.faces))
    losses: list[float] = []
    generator = torch.Generator().manual_seed(0)
    perception.train_captions(network, captioned, generator, lambda _step, _steps, loss: losses.append(loss), steps=2)
    assert len(losses) == 2
    assert moved(before, network)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_thresholds_are_what_a_share_of_strangers_exceeds() -> None:
    angles = torch.linspace(0, 3.1, 60)
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1)
    people = torch.arange(60)
    thresholds = recognition.calibrate(embeddings, people)
    _, strangers = recognition.verification(embeddings, people)
    for rate, threshold in zip(recognition.FALSE_ACCEPT_RATES, thresholds, strict=True):
        assert float((strangers > threshold).float().mean()) <= rate
