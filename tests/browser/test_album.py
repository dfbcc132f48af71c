"""Several photos, and one photo in several looks: one list, each with its own job."""

import pytest

from diffam_client.contract.job import JobInput
from tests.browser.conftest import Visiting
from tests.story.conftest import Service

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
        page.wait_for_function("() => document.getElementById('look-told').textContent", timeout=60_000)  # in its turn
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


def test_of_three_pictures_one_is_picked_shown_and_taken(visit: Visiting, service: Service, scene: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.click("summary >> nth=-1")
        page.check("#auto")
        assert page.is_disabled("[name=vary][value=strength]")
        page.uncheck("#auto")
        page.check("[name=vary][value=strength]")
        page.click("[name=regions][value=eyes]")
        page.click("[name=regions][value=skin]")
        page.click("[name=regions][value=lips]")  # the last one stays
        page.click("#protect")
        visitor.wait_for("done")
        job_id = next(each.url for each in visitor.requests if each.url.endswith("/events")).split("/")[-2]
        candidates = page.locator(".candidate")
        assert [name.split("\n")[0] for name in candidates.all_inner_texts()] == [
            "Rose, 100%",
            "Rose, 67%",
            "Rose, 33%",
        ]
        page.wait_for_function(
            "() => Array.from(document.querySelectorAll('.candidate img')).every((each) => each.naturalWidth)"
        )
        page.click("[value='2']")
        page.locator("#slider").evaluate("slider => { slider.value = 20; }")
        likeness = page.get_attribute(".likeness >> nth=0", "aria-label")
        candidates.nth(2).click()
        assert candidates.nth(2).get_attribute("aria-pressed") == "true"
        assert page.get_attribute(".likeness >> nth=0", "aria-label") != likeness
        assert page.evaluate("document.getElementById('slider').value") == 20  # the same place of each is compared
        with page.expect_download() as download:
            page.click("#download")
        third = service.client.get(f"/v1/jobs/{job_id}/result?candidate=2").content
        assert download.value.path().read_bytes() == third
        job = service.api.get(job_id)
        assert isinstance(job.input, JobInput)
        assert (job.input.candidates, job.input.regions) == (3, ("lips",))
