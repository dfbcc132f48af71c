"""YuNet as it is shipped, on rendered scenes and on people: what is found, where, and what is left alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from diffam_core.faces.face import FoundFace, scale_face
from diffam_core.faces.landmarks import is_profile, lean_deg, lean_further, with_points
from diffam_core.faces.yunet import YunetDetector
from diffam_core.images import Photo, decode_photo
from model_store.bundle import Bundle
from model_store.rendered.renderer import FRAMING
from model_store.rendered.scenes import demo_scene, error_of, group_scene, pair

pytestmark = pytest.mark.xdist_group("shipped")
PEOPLE = {"ai": 0.995, "london": 0.995, "lfw": 0.995, "sfhq_t2i": 0.97}
"""The least share of photos of a folder in which a face must be found."""


@pytest.fixture(scope="module")
def detector(sharp_bundle: Bundle) -> YunetDetector:
    found = sharp_bundle.models.detector
    assert isinstance(found, YunetDetector)
    return found


@pytest.fixture(scope="module")
def scene() -> Photo:
    return np.array(demo_scene(seed=0, size=512))


def eyes(face: FoundFace) -> NDArray[np.float64]:
    return np.array([face.left_eye, face.right_eye])


def sized(photo: Photo, side_px: int) -> Photo:
    return cv2.resize(photo, (side_px, side_px), interpolation=cv2.INTER_AREA).astype(np.uint8)


def test_people_in_groups_are_found_where_they_are_and_nothing_else(detector: YunetDetector) -> None:
    drawn, found, errors = 0, 0, []
    for seed in (1, 2, 3):
        photo, truth = group_scene(seed, 1000, 750, 4, 25, (60, 220))
        faces = detector.all(photo)
        drawn, found = drawn + len(truth), found + len(faces)
        errors += [error_of(face, where) for face, where in pair(faces, truth)]
    assert len(errors) == found == drawn
    assert np.median(errors) < 0.1


def test_a_crowd_is_found_in_tiles_and_nobody_twice(detector: YunetDetector, scene: Photo) -> None:
    """A hundred copies of one scene, 2,000 pixels wide: some of the faces lie on the edges of tiles."""
    faces = detector.all(np.tile(sized(scene, 200), (10, 10, 1)))
    assert len(faces) == len({(int(x // 200), int(y // 200)) for x, y in (face.eye_middle for face in faces)})
    assert len(faces) >= 95


def test_a_face_as_tall_as_its_strip_is_found(detector: YunetDetector, scene: Photo) -> None:
    strip = np.full((300, 9000, 3), 120, np.uint8)
    strip[:, 6000:6300] = sized(scene, 300)
    (face,) = detector.all(strip)
    assert 6000 < face.eye_middle[0] < 6300


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3, 9000), (20, 720), (64, 2500), (100, 3000), (3000, 100)])
def test_of_the_thinnest_pictures_the_network_says_nothing_strange(
    detector: YunetDetector, scene: Photo, shape: tuple[int, int]
) -> None:
    """Below 33 pixels OpenCV reads what lies in memory, so that other pictures are searched in between."""
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for _ in range(4):
        assert detector.all(noise) == []
        detector.all(sized(scene, 128))


def test_a_photo_that_is_as_thin_and_lies_is_found_out(detector: YunetDetector, scene: Photo) -> None:
    strip = np.full((300, 6000, 3), 120, np.uint8)
    strip[:, 3000:3300] = sized(scene, 300)
    (face,) = detector.all(np.ascontiguousarray(np.rot90(strip)))
    assert "face_turned" in face.notes


@pytest.mark.parametrize("small_px", [40, 60, 90])
def test_who_is_far_away_is_found_beside_who_is_near(detector: YunetDetector, scene: Photo, small_px: int) -> None:
    """The rendered face is about a third as wide as its scene."""
    photo = np.full((3000, 4000, 3), 120, np.uint8)
    photo[400:2900, 200:2700] = sized(scene, 2500)
    photo[300 : 300 + 3 * small_px, 3200 : 3200 + 3 * small_px] = sized(scene, 3 * small_px)
    assert len(detector.all(photo)) == 2


def test_threads_share_a_network(detector: YunetDetector, scene: Photo) -> None:
    photos = [sized(scene, side) for side in (128, 200, 320, 512)] * 4
    alone = [detector.all(photo) for photo in photos]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(detector.all, photos)) == alone


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_that_lies_is_found_out(detector: YunetDetector, scene: Photo, quarters: int) -> None:
    (upright,) = detector.all(scene)
    (face,) = detector.all(np.ascontiguousarray(np.rot90(scene, quarters)))
    assert "face_turned" in face.notes
    assert "face_turned" not in upright.notes
    assert face.eye_distance_px == pytest.approx(upright.eye_distance_px, rel=0.1)
    assert face.roll_deg % 360 == pytest.approx((-90 * quarters) % 360, abs=12)


def test_half_the_size_puts_the_eyes_in_the_same_place(detector: YunetDetector) -> None:
    photo = np.array(demo_scene(seed=0, size=900))
    (whole,), (half,) = (detector.all(each) for each in (photo, sized(photo, 450)))
    assert np.abs(eyes(scale_face(half, 2)) - eyes(whole)).max() < 0.1 * whole.eye_distance_px
    assert whole.box[2] == pytest.approx(2 * half.box[2], rel=0.15)


@pytest.mark.parametrize("degrees", [-25, 25])
def test_the_eyes_of_a_leaning_head_lean_with_it(detector: YunetDetector, scene: Photo, degrees: int) -> None:
    (upright,) = detector.all(scene)
    middle = (scene.shape[1] / 2, scene.shape[0] / 2)
    there = cv2.getRotationMatrix2D(middle, -degrees, 0.9)
    leaning = cv2.warpAffine(scene, there, scene.shape[1::-1], borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
    (face,) = detector.all(leaning)
    expected = eyes(upright) @ there[:, :2].T + there[:, 2]
    assert np.hypot(*(eyes(face) - expected).T).max() < 0.2 * face.eye_distance_px
    assert face.roll_deg == pytest.approx(upright.roll_deg + degrees, abs=8)


@pytest.mark.parametrize("folder", PEOPLE)
def test_people_are_found_in_photos_of_them(detector: YunetDetector, assets: Path, folder: str) -> None:
    """Every tenth photo; `python -m benchmarks.detectors` takes all."""
    paths = sorted(path for path in (assets / "people" / folder).rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    photos = paths[::10]
    found = [detector.all(decode_photo(path.read_bytes())) for path in photos]
    assert np.mean([bool(faces) for faces in found]) >= PEOPLE[folder]
    turned = [path.name for path, faces in zip(photos, found, strict=True) if "face_turned" in str(faces[:1])]
    assert not turned


def test_a_face_that_is_turned_about_its_middle_leans_by_that_and_keeps_its_shape() -> None:
    others = {"nose": (50.0, 55.0), "left_mouth": (42.0, 70.0), "right_mouth": (58.0, 70.0)}
    face = FoundFace((20, 20, 60, 60), (40.0, 40.0), (60.0, 40.0), FRAMING, others=others)
    turned = lean_further(face, 30)
    assert lean_deg(face) == pytest.approx(0)
    assert lean_deg(turned) == pytest.approx(turned.roll_deg) == pytest.approx(30)
    assert turned.eye_distance_px == pytest.approx(20)


@pytest.mark.parametrize(("nose_x", "aside"), [(50.0, False), (60.0, False), (62.0, True), (38.0, True)])
def test_a_nose_beyond_the_eyes_is_seen_from_the_side(nose_x: float, aside: bool) -> None:
    face = FoundFace((20, 20, 60, 60), (40.0, 40.0), (60.0, 40.0), FRAMING)
    points = np.array([[40, 40], [60, 40], [nose_x, 55], [42, 70], [58, 70]], float)
    assert is_profile(with_points(face, points)) is aside
