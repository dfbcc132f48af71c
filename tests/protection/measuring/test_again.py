"""Known faces, found anew in another state of their photo."""

from dataclasses import replace

import numpy as np

from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.face import scale_face
from diffam_core.faces.framing import Framing
from diffam_core.faces.plausibility import parser_check
from model_store.bundle import Bundle
from model_store.rendered.scenes import group_scene
from protection.measuring.again import find_again, meet_again
from protection.measuring.survival import PROFILES, treat


def test_leaning_and_upright_faces_are_found_again_where_they_were(bundle: Bundle) -> None:
    models = bundle.models
    known, misplaced, lost = 0, 0, 0
    for seed in (1, 2):
        photo, _ = group_scene(seed, 900, 675, faces=4, tilt_deg=35, box_widths=(60, 220))
        treated = treat(photo, PROFILES["jpeg75"])
        for face in models.detector.all(photo):
            again = find_again(models, treated, face)
            known, lost = known + 1, lost + (again is None)
            if again is not None:
                apart = np.hypot(*np.subtract(again.eye_middle, face.eye_middle))
                misplaced += bool(apart > 0.2 * face.eye_distance_px)
        assert find_again(models, np.full_like(photo, 128), face) is None
    assert known >= 7
    assert lost <= 1
    assert misplaced <= 1


def test_a_face_is_met_where_it_is_found_in_a_smaller_copy_and_where_it_was_when_it_is_gone(bundle: Bundle) -> None:
    models = bundle.models
    photo, _ = group_scene(1, 900, 675, faces=2, tilt_deg=0, box_widths=(120, 220))
    face = models.detector.all(photo)[0]
    small = treat(photo, PROFILES["half"])
    met = meet_again(models, small, face, photo.shape[1])
    assert met.is_found
    assert np.allclose(met.face.eye_middle, scale_face(face, 0.5).eye_middle, atol=0.1 * face.eye_distance_px)
    gone = meet_again(models, np.full_like(small, 128), face, photo.shape[1])
    assert (gone.face, gone.is_found) == (scale_face(face, 0.5), False)


def test_a_face_is_found_again_in_the_frame_that_the_bundle_cuts(bundle: Bundle) -> None:
    models = bundle.models
    check = parser_check(models.parser, models.portrait_px)
    wider = replace(models, detector=CascadeDetector(Framing((0.5, 0.47), 0.2), check))
    photo, _ = group_scene(1, 900, 675, faces=1, tilt_deg=0, box_widths=(120, 220))
    again = find_again(wider, photo, models.detector.all(photo)[0])
    assert again is not None
    assert again.framing == wider.detector.framing
