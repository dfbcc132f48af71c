"""What learns from painted people: the mixtures, where a view shows a point, damages, and pairs of twins."""

import torch

from diffam_core.networks.clip import Clip
from model_store.portrait.painted import removing, trunk, words
from model_store.portrait.painted.mixtures import PALETTES, WORN, Worn, bare_row, mix
from model_store.portrait.portraits import WIDE_PX
from model_store.portrait.views import places, taken


def test_a_mixed_look_wears_the_colour_that_it_names() -> None:
    generator = torch.Generator().manual_seed(0)
    for look, row in (mix(generator) for _ in range(40)):
        for part in WORN:
            strength, name = float(row[f"{part}_strength"]), int(row[f"{part}_name"])
            assert abs(strength - getattr(look, part)[1]) < 1e-6
            assert (name < 0) is (strength == 0)
            if name >= 0:
                named = torch.tensor(list(PALETTES[part].values())[name]) / 255
                assert float((row[f"{part}_colour"] - named).abs().max()) < 0.25


def test_a_bare_face_is_said_to_be_bare_and_to_wear_nothing() -> None:
    makeup = {key: value[None] for key, value in bare_row().items()}
    said = {phrase for phrase, judge in words.PHRASES.items() if bool(judge(makeup))}
    assert said == {words.PLAIN, "face with bare lips", "face with bare eyes"}


def test_the_row_of_the_manifest_builds_the_clip_that_is_trained() -> None:
    row = words.clip_row()
    clip = Clip(row["config"], row["vocabulary"], tuple(row["mean"]), tuple(row["std"]))
    clip.load_state_dict(words.build_words().state_dict())
    assert sum(each.numel() for each in clip.parameters()) < 2e6  # 4 MB in fp16


def test_a_point_is_told_where_the_view_shows_it() -> None:
    generator = torch.Generator().manual_seed(3)
    where = places(6, generator)
    wide = torch.zeros(6, 1, WIDE_PX, WIDE_PX)
    wide[:, :, 180:183, 160:163] = 1
    points = torch.tensor([161.0, 181.0]).expand(6, 468, 2)
    told = trunk.placed(points, where).view(6, -1, 2)[:, -1] * trunk.PLACE_SPREAD
    seen = taken(wide, where, "bilinear")[:, 0].clamp(min=0)
    axis = (torch.arange(seen.shape[-1]) + 0.5) * 2 / seen.shape[-1] - 1
    x = (seen.sum(1) * axis).sum(1) / seen.sum((1, 2))
    y = (seen.sum(2) * axis).sum(1) / seen.sum((1, 2))
    assert torch.allclose(told, torch.stack([x, y], dim=1), atol=0.01)


def test_a_larger_share_damages_more_and_none_leaves_the_picture() -> None:
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(4)).mul(255).round() / 127.5 - 1
    for kind in range(3):
        moved = [
            float((trunk.damaged(x, torch.eye(3)[kind : kind + 1] * share, torch.Generator()) - x).abs().mean())
            for share in (0.0, 0.4, 1.0)
        ]
        assert moved[0] < 1e-6 < moved[1] < moved[2]


def test_removal_learns_from_painted_twins_and_from_every_fifth_face_bare() -> None:
    generator = torch.Generator().manual_seed(5)
    bare = torch.randint(40, 200, (3, 1, 3, WIDE_PX // 2, WIDE_PX // 2), generator=generator, dtype=torch.uint8)
    worn = Worn(torch.cat([bare, bare + 30], dim=1), torch.arange(3), ("ai/female_00", "ai/male_00", "ai/male_01"), {})
    painted, twins = removing.pair_up(worn, 10)
    assert [bool((row > twin).any()) for row, twin in zip(painted, twins, strict=True)] == ([False] + [True] * 4) * 2
    assert float(painted.abs().max()) <= 1
    assert painted.shape == twins.shape == (10, 3, 128, 128)
