"""What BiSeNet's classes become: the regions of make-up, also at the border and where eyes are hidden."""

import torch
from torch import Tensor
from torch.nn import functional

from diffam_core.networks.bisenet import EYE_MARGIN_PX, MT_LABELS, BisenetParser, grown_box, regions
from diffam_core.networks.parser import CHANNELS, DETAILS

NAMES = [
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses", "left_ear", "right_ear"),
    *("earring", "nose", "mouth", "upper_lip", "lower_lip", "neck", "necklace", "cloth", "hair", "hat"),
]


def _classes(labels: Tensor) -> Tensor:
    return functional.one_hot(labels, len(NAMES)).permute(0, 3, 1, 2).float()


def _pixels(name: str) -> dict[str, float]:
    """Where a pixel of one class goes."""
    found = regions(_classes(torch.full((1, 1, 1), NAMES.index(name))))
    return dict(zip((*CHANNELS, *DETAILS), found.flatten().tolist(), strict=True))


def test_every_class_has_a_label_and_goes_where_the_make_up_dataset_puts_it() -> None:
    assert len(MT_LABELS) == len(NAMES)
    members = {region: {name for name in NAMES if _pixels(name)[region] == 1} for region in (*CHANNELS, *DETAILS)}
    assert members["lips"] == {"upper_lip", "lower_lip"}
    assert members["skin"] == {"skin", "nose", "neck"}
    assert members["face"] == set(NAMES[1:6]) | {"nose", "mouth", "upper_lip", "lower_lip"}
    assert members["eyes"] == set()
    assert members["brows"] == {"left_brow", "right_brow"}
    assert members["eyeballs"] == {"left_eye", "right_eye"}
    assert members["mouth"] == {"mouth"}


def test_eyes_are_the_skin_in_a_box_around_each_eye_without_eyeball_and_brow() -> None:
    labels = torch.full((1, 200, 200), NAMES.index("skin"))
    labels[:, 90:100, 40:60] = NAMES.index("left_eye")
    labels[:, 80:84, 40:60] = NAMES.index("left_brow")
    eyes = regions(_classes(labels))[0, 1]
    expected = torch.zeros(200, 200)
    expected[90 - EYE_MARGIN_PX : 100 + EYE_MARGIN_PX, 40 - EYE_MARGIN_PX : 60 + EYE_MARGIN_PX] = 1
    expected[90:100, 40:60] = expected[80:84, 40:60] = 0
    assert torch.equal(eyes, expected)


def test_a_box_at_the_border_ends_there() -> None:
    mask = torch.zeros(1, 30, 40, dtype=torch.bool)
    mask[:, 2, 38] = True
    expected = torch.zeros_like(mask)
    expected[:, :8, 33:] = True
    assert torch.equal(grown_box(mask, 5), expected)


def test_where_no_eye_is_seen_there_is_no_box_in_any_picture_of_the_batch_but_its_own() -> None:
    mask = torch.zeros(2, 30, 40, dtype=torch.bool)
    mask[1, 10:12, 10:20] = True
    grown = grown_box(mask, 100)
    assert not grown[0].any()
    assert grown[1].all()


@torch.no_grad()
def test_the_parser_keeps_the_size_of_portraits_and_gives_finite_logits() -> None:
    parser = BisenetParser().eval()
    logits = parser(torch.zeros(1, 3, 64, 64))
    assert logits.shape == (1, len(CHANNELS) + len(DETAILS), 64, 64)
    assert bool(logits.isfinite().all())
