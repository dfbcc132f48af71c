"""Known faces, found anew in another state of their photo."""

from pathlib import Path

import numpy as np

from model_store.bundle import open_bundle
from model_store.rendered.scenes import group_scene
from protection.again import find_again
from protection.survival import PROFILES, treat

BUNDLE = Path(__file__).parents[2] / "model_store" / "bundles" / "mini"


def test_leaning_and_upright_faces_are_found_again_where_they_were() -> None:
    models = open_bundle(BUNDLE).models
    known, misplaced, lost = 0, 0, 0
    for seed in (1, 2):
        photo, _ = group_scene(seed, 900, 675, faces=4, tilt_deg=35, box_widths=(60, 220))
        treated = treat(photo, PROFILES["jpeg75"])
        for face in models.find_faces(photo):
            again = find_again(models, treated, face)
            known, lost = known + 1, lost + (again is None)
            if again is not None:
                apart = np.hypot(*np.subtract(again.eye_middle, face.eye_middle))
                misplaced += bool(apart > 0.2 * face.eye_distance_px)
        assert find_again(models, np.full_like(photo, 128), face) is None
    assert known >= 7
    assert lost <= 1
    assert misplaced <= 1
