"""Several photos, and one photo in several looks: one list, each with its own job."""

import pytest

from tests.browser.conftest import Visiting

pytestmark = pytest.mark.browser


def test_several_photos_are_protected_taken_and_deleted_together(visit: Visiting, scene: bytes, friends: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene, friends, b"no picture")
        page.wait_for_function("() => document.querySelectorAll('.job[data-state=ready]').length === 2")
        page.wait_for_selector(".job[data-state=failed]")
        assert page.inner_text("#protect-all") == "Protect all 2 photos"
        page.click("#protect-all")
        page.wait_for_function("() => document.querySelectorAll('.job[data-state=done]').length === 2", timeout=90_000)
        page.click(".job >> nth=1")
        assert page.inner_text("#picture-title") == "1-me.png"
        assert page.locator("#reports table").count() == 2
        taken = []
        page.on("download", lambda download: taken.append(download.suggested_filename))
        page.click("#download-all")
        page.wait_for_timeout(1000)
        assert sorted(taken) == ["0-me-protected.png", "1-me-protected.png"]
        page.click("#erase-all")
        page.wait_for_function("() => document.querySelectorAll('.job[data-state=erased]').length === 2")


def test_a_second_look_keeps_the_first_and_faces_wear_the_others(visit: Visiting, scene: bytes) -> None:
    on_others = "Array.from(document.querySelectorAll('.look img'), (image) => image.src)"
    with visit() as visitor:
        page = visitor.page
        page.wait_for_function(f"() => {on_others}.every(Boolean)")
        before = page.evaluate(on_others)
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.click("#protect")
        visitor.wait_for("done")
        page.wait_for_function(
            f"(before) => {on_others}.every((address, n) => address !== before[n])", arg=before, timeout=90_000
        )
        assert "your own face" in page.inner_text("#look-told")
        sizes = page.eval_on_selector_all(".look img", "images => images.map((image) => image.naturalWidth)")
        assert min(sizes) > 100
        asked = [each for each in visitor.requests if each.method == "POST" and each.url.endswith("/v1/jobs")]
        assert len(asked) == len(before)  # the photo, and a cut-out for each look but the one it wears
        page.check("[name=reference_id][value=ember]", force=True)
        page.click("#protect")
        visitor.wait_for("working")
        visitor.wait_for("done")
        names = page.eval_on_selector_all(".job", "jobs => jobs.map((job) => job.getAttribute('aria-label'))")
        assert names == ["me.png, Rose: protected", "me.png, Ember: protected"]
        visitor.choose(b"no picture", name="other.png")
        visitor.wait_for("failed")
        assert page.evaluate(on_others) == before  # another face wears nothing yet
