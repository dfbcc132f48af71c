"""What teaches the parser: the mesh's masks, without the hair that hangs into a face."""

from pathlib import Path

import numpy as np

from diffam_core.networks.parser import CHANNELS
from model_store.portrait.learning import Course
from model_store.portrait.perception import build_parser, lessons, measure_parser, train_parser, truths
from model_store.portrait.portraits import Portraits
from tests.model_store.portrait.conftest import Face, wide_of


def test_hair_across_the_forehead_is_neither_skin_nor_face(face: Face) -> None:
    bare = truths(face.photo, face.points)
    fringe, top = face.photo.copy(), face.points[10].round().astype(int)
    width, height = (round(units * face.regions.unit) for units in (20, 9))
    fringe[top[1] - width : top[1] + height, top[0] - width : top[0] + width] = (20, 60, 40)
    place = (slice(top[1] + 4, top[1] + round(7 * face.regions.unit)), slice(top[0] - 9, top[0] + 9))
    covered = truths(fringe, face.points)
    for name in ("skin", "face"):
        channel = CHANNELS.index(name)
        assert bare[place][..., channel].mean() > 200 > 20 > covered[place][..., channel].mean()


def test_lips_lids_and_skin_lie_in_the_face_and_apart(face: Face) -> None:
    lips, eyes, skin, inside = np.moveaxis(truths(face.photo, face.points).astype(float) / 255, 2, 0)[:4]
    assert (lips * inside).sum() > 0.97 * lips.sum()
    assert (skin * inside).sum() > 0.97 * skin.sum()
    assert (lips * skin).sum() < 0.15 * lips.sum()
    assert (eyes * face.regions.eyeballs).sum() < 0.05 * eyes.sum()
    assert (lips * eyes).max() == 0


def test_brows_eyeballs_and_the_smiling_mouth_are_told_apart_from_what_is_made_up(face: Face) -> None:
    told = np.moveaxis(truths(face.photo, face.points).astype(float) / 255, 2, 0)
    lips, eyes, skin, _, brows, eyeballs, mouth = told
    assert (mouth * lips).sum() < 0.15 * mouth.sum()
    assert (eyeballs * (eyes + skin)).sum() < 0.05 * eyeballs.sum()
    assert (brows * skin).sum() < 0.3 * brows.sum()
    light = face.photo.astype(float).mean(2)
    assert (light * brows).sum() / brows.sum() < 0.9 * (light * skin).sum() / skin.sum()
    assert (light * mouth).sum() / mouth.sum() > 1.2 * (light * lips).sum() / lips.sum()


def test_a_parser_learns_from_one_lesson_and_is_measured_on_the_held_out(face: Face, tmp_path: Path) -> None:
    wide, points = wide_of(face)
    portraits = Portraits(wide.expand(2, -1, -1, -1), ("ai/female_00", "ai/female_64"))
    both = points.expand(2, -1, -1)
    taught = lessons(portraits, both, portraits.rows(held_out=False))
    assert [each.shape for each in taught] == [(1, 3, 176, 176), (1, 3, 176, 176), (1, 7, 176, 176)]
    assert float((taught[0].float() - taught[1].float()).abs().mean()) > 0.3
    untrained = measure_parser(build_parser(), portraits, both)["ai"]
    losses: list[float] = []
    course = Course(25, 3e-3, 0)
    network = train_parser(taught, tmp_path, lambda _step, _steps, loss: losses.append(loss), course)
    assert losses[-1] < 0.97 * losses[0]
    trained = measure_parser(network, portraits, both)["ai"]
    assert trained["people"] == 1
    assert trained["face_bare"] > untrained["face_bare"]
