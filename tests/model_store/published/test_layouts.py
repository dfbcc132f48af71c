"""Checkpoints are told by content: the published keys and shapes, nothing less and nothing else."""

import hashlib

import pytest
import torch

from model_store.errors import CheckpointDamaged, CheckpointUnknown
from model_store.published.layouts import layouts, recognise
from tests.model_store.published.random_states import layout, random_state

PUBLISHED = {
    "celeba_hq_ddpm": (450, "f262069fda0bc523"),
    "celeba_hq_diffusers": (450, "0b6a9b35374315f7"),
    "makeup_improved_ddpm": (362, "1f4f09f8b00638e8"),
    "clip_vit_b16": (305, "db2affd3f34e07c5"),
    "clip_vit_b32": (305, "a585cbc58f42fa4b"),
    "ir152": (581, "0c85f8e7d16179e9"),
    "irse50": (343, "ae46b85c976f0284"),
    "facenet": (604, "c8546805f88be9f8"),
    "mobile_face": (283, "67c8cb1bc681fd31"),
    "bisenet": (160, "1c7b86244baafb7b"),
    "alexnet": (16, "12a60b133d7b54dc"),
}
"""Keys of the published files, counters aside, and the digest of their sorted lines `key [shape]`; CLIP's with the
three numbers that its archive holds besides the weights."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_layout_has_every_published_key_and_shape_and_no_other(name: str) -> None:
    published = layout(name).published
    text = "\n".join(f"{key} {list(shape)}" for key, shape in sorted(published.items()))
    assert (len(published), hashlib.sha256(text.encode()).hexdigest()[:16]) == PUBLISHED[name]


@pytest.mark.parametrize("name", [layout.name for layout in layouts()])
def test_a_checkpoint_is_recognised_with_and_without_what_nothing_reads(name: str) -> None:
    expected = layout(name)
    counters = {origin.key: () for key, origin in expected.origins.items() if key.endswith("num_batches_tracked")}
    assert recognise(expected.shapes).name == name
    assert recognise({**expected.published, **counters}).name == name


def test_the_old_names_of_attention_are_the_only_difference_between_both_diffusers_layouts() -> None:
    old, new = layout("celeba_hq_diffusers_old"), layout("celeba_hq_diffusers")
    names = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
    renamed = {}
    for key, shape in new.shapes.items():
        for now, then in names.items():
            key = key.replace(now, then)
        renamed[key] = shape
    assert renamed == old.shapes
    assert renamed != new.shapes


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bn.weight": None}, "bn.weight is missing"),
        ({"bn.weight": None, "bn.bias": None}, "bn.weight and 1 more are missing"),
        ({"extra.weight": (3,)}, "extra.weight is unexpected"),
        ({"linear.weight": (512, 128)}, r"linear.weight is \(512, 128\) instead of \(512, 512\)"),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_the_keys_that_gave_it_away(
    change: dict[str, tuple[int, ...] | None], told: str
) -> None:
    changed = {**layout("mobile_face").shapes, **change}
    with pytest.raises(CheckpointDamaged, match=f"mobile_face, but {told}$"):
        recognise({key: shape for key, shape in changed.items() if shape is not None})


def test_a_truncated_checkpoint_is_told_from_one_that_is_unknown() -> None:
    with pytest.raises(CheckpointDamaged, match=r"this looks like facenet, but .* and 581 more are missing"):
        recognise(dict(list(layout("facenet").published.items())[:20]))


def test_a_model_of_the_same_family_and_another_size_is_named_with_its_shape() -> None:
    larger = {key: tuple(2 * size for size in shape) for key, shape in layout("clip_vit_b32").shapes.items()}
    with pytest.raises(CheckpointDamaged, match=r"this looks like clip_vit_b\d\d, but .* is \(\d+"):
        recognise(larger)


@pytest.mark.parametrize("keys", [[], ["weight"], ["conv1.weight", "fc.bias"]])
def test_what_resembles_no_published_model_is_unknown(keys: list[str]) -> None:
    with pytest.raises(CheckpointUnknown, match=f"these {len(keys)} weights"):
        recognise(dict.fromkeys(keys, (8,)))


def test_heads_the_service_has_no_use_for_are_checked_and_dropped() -> None:
    facenet = layout("facenet")
    with pytest.raises(CheckpointDamaged, match=r"logits\.weight"):
        recognise({**facenet.published, "logits.weight": (10, 512)})
    state = random_state(facenet) | {"logits.weight": torch.zeros(8631, 512)}
    assert not any("logits" in key for key in facenet.convert(state))


def test_converting_keeps_the_precision_that_a_file_stores() -> None:
    state = {key: value.half() for key, value in random_state(layout("mobile_face")).items()}
    converted = layout("mobile_face").convert(state)
    assert {value.dtype for value in converted.values()} == {torch.float16, torch.int64}
