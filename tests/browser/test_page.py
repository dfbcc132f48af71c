"""Every way through the page, in a real browser against a real service."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from diffam_client.contract.job import JobInput
from tests.browser.conftest import Visiting
from tests.browsing import Visit
from tests.story.conftest import Service

pytestmark = pytest.mark.browser


def wish_of(visit: Visit, service: Service) -> JobInput:
    """What the service was asked for last."""
    asked = [each.url for each in visit.requests if each.url.endswith("/events")]
    job = service.api.get(asked[-1].split("/")[-2])
    assert isinstance(job.input, JobInput)
    return job.input


def eyes_at(page: Page, *points: tuple[float, float]) -> None:
    """Click on the photo, in shares of its sides."""
    area = page.locator("#aim").bounding_box()
    assert area is not None
    for x, y in points:
        page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])


def test_a_face_that_is_clicked_on_is_left_out(visit: Visiting, service: Service, friends: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(friends)
        visitor.wait_for("ready")
        assert page.locator(".face").count() == 2
        page.click(".face >> nth=1")
        assert page.get_attribute(".face >> nth=1", "aria-pressed") == "false"
        assert "1 of 2 faces" in page.inner_text("#faces-told")
        page.click("#protect")
        visitor.wait_for("done")
        assert wish_of(visitor, service).skip == (1,)
        assert "Face 2 was left as it is: you left it out." in page.inner_text("#reports")
        assert page.locator("#reports table").count() == 1


def test_with_every_face_left_out_nothing_is_sent(visit: Visiting, scene: bytes) -> None:
    with visit() as visitor:
        visitor.choose(scene)
        visitor.wait_for("ready")
        visitor.page.click(".face")
        visitor.page.click("#protect")
        assert visitor.page.inner_text("#faces-told").startswith("Every face is left out")
        assert not [each for each in visitor.requests if each.url.endswith("/v1/jobs")]


def test_a_missed_face_is_marked_by_two_clicks(visit: Visiting, scene: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.click("#mark")
        eyes_at(page, (0.10, 0.20), (0.105, 0.20))
        assert "too close together" in page.inner_text("#faces-told")
        eyes_at(page, (0.30, 0.20))
        assert page.locator(".face.by-hand").count() == 1
        page.click(".face.by-hand")  # and is taken back by a third
        assert page.locator(".face.by-hand").count() == 0


def test_a_face_is_marked_with_the_keyboard_alone_and_the_service_takes_it(
    visit: Visiting, service: Service, scene: bytes
) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.focus("#mark")
        page.keyboard.press("Enter")
        expect(page.locator("#crosshair")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#mark")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(8):
            page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        for _ in range(16):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert page.inner_text("#faces-told") == "The face is marked."
        page.click("#protect")
        visitor.wait_for("done")
        eyes = wish_of(visitor, service).eyes
        assert list(eyes) == pytest.approx([0.42 * 511, 0.4 * 511, 0.58 * 511, 0.4 * 511], abs=0.2)


def test_progress_tells_the_stages_and_the_second_time_the_seconds_left(visit: Visiting, scene: bytes) -> None:
    watch = """() => {
        window.told = [];
        for (const id of ["stage", "left"]) {
            const note = () => window.told.push([id, document.getElementById(id).textContent]);
            new MutationObserver(note).observe(document.getElementById(id), {childList: true});
        }
    }"""
    with visit() as visitor:
        page = visitor.page
        page.evaluate(watch)
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.click("#protect")
        visitor.wait_for("done")
        stages = [text for name, text in page.evaluate("window.told") if name == "stage"]
        known = ["Reading the face", "Putting on the make-up", "Measuring what they make of it"]
        assert [stage for stage in stages if stage in known] == known
        page.evaluate(watch)
        page.click("#protect")
        visitor.wait_for("working")
        visitor.wait_for("done")
        assert any(re.fullmatch(r"about \d+ s left", text) for name, text in page.evaluate("window.told"))


def test_what_was_stopped_is_deleted_and_can_be_sent_again(visit: Visiting, scene: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.click("summary >> nth=-1")
        page.check("#auto")
        page.click("#protect")
        page.wait_for_function("() => document.getElementById('stage').textContent.includes('face')")
        with page.expect_request(lambda request: request.method == "DELETE"):
            page.click("#cancel")
        visitor.wait_for("failed")
        assert page.inner_text("#why").startswith("You stopped it.")
        page.uncheck("#auto")
        page.click("#again")
        visitor.wait_for("done")


def test_more_choices_are_sent(visit: Visiting, service: Service, scene: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.check("[name=reference_id][value=ember]", force=True)
        page.click("summary >> nth=-1")
        page.fill("#strength", "70")
        assert page.inner_text("#strength-told") == "70%"
        page.check("[name=effort][value=quick]")
        page.check("[name=output_format][value=png]")
        page.click("#protect")
        visitor.wait_for("done")
        wish = wish_of(visitor, service)
        assert (wish.reference_id, wish.output_format, wish.effort, wish.strength) == ("ember", "png", "quick", 0.7)
        page.check("#auto")
        assert page.is_disabled("#strength")


def test_before_and_after_slide_and_zoom(visit: Visiting, scene: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.click("#protect")
        visitor.wait_for("done")
        slider = page.locator("#slider")
        slider.focus()
        page.keyboard.down("ArrowRight")
        page.wait_for_function("() => Number(document.getElementById('slider').getAttribute('aria-valuenow')) > 60")
        page.keyboard.up("ArrowRight")
        plain = slider.bounding_box()
        page.click("#zoom [value='4']")
        enlarged = slider.bounding_box()
        assert plain is not None
        assert enlarged is not None
        assert enlarged["width"] == pytest.approx(4 * plain["width"], rel=0.05)
        frame = page.locator("#frame").evaluate("frame => [frame.scrollLeft, frame.scrollTop]")
        assert min(frame) > 0  # the face is in the middle
        for name in ("original", "protected"):
            assert page.locator(f"#{name}").evaluate("image => image.naturalWidth") == 512


def test_paste_and_drop_take_a_photo_in(visit: Visiting) -> None:
    hand_over = """async (kind) => {
        const canvas = new OffscreenCanvas(300, 300);
        canvas.getContext("2d").fillRect(0, 0, 300, 300);
        const data = new DataTransfer();
        data.items.add(new File([await canvas.convertToBlob()], "black.png", {type: "image/png"}));
        const event = kind === "paste" ? new ClipboardEvent("paste", {clipboardData: data})
            : new DragEvent("drop", {dataTransfer: data, cancelable: true});
        document.dispatchEvent(event);
    }"""
    for kind in ("paste", "drop"):
        with visit() as visitor:
            visitor.page.evaluate(hand_over, kind)
            visitor.wait_for("ready")
            assert visitor.page.inner_text("#picture-title") == "black.png"
            assert visitor.page.inner_text("#faces-told").startswith("No face was found.")
            visitor.page.click("#protect")
            visitor.wait_for("failed")
            assert "mark it by hand" in visitor.page.inner_text("#why")


@pytest.mark.parametrize(
    ("photo", "sentence"),
    [
        (b"", "This file is empty."),
        (b"no picture at all", "This is no photo that the service can read. JPEG, PNG, WEBP will do."),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "This file is damaged"),
    ],
)
def test_what_is_no_photo_is_told_in_a_friendly_sentence(visit: Visiting, photo: bytes, sentence: str) -> None:
    with visit() as visitor:
        visitor.choose(photo)
        visitor.wait_for("failed")
        assert visitor.page.inner_text("#why").startswith(sentence)
        assert visitor.page.is_visible("#failed-title")


def test_a_photo_outlives_a_service_that_is_gone_for_a_while(visit: Visiting, scene: bytes) -> None:
    with visit() as visitor:
        page = visitor.page
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.context.set_offline(True)
        page.click("#protect")
        visitor.wait_for("failed")
        assert page.inner_text("#why").startswith("The service cannot be reached. Your photo is still here")
        page.context.set_offline(False)
        page.click("#again")
        visitor.wait_for("done")


def test_the_keyboard_is_enough(visit: Visiting, scene: bytes, tmp_path: Path) -> None:
    photo = tmp_path / "me.png"
    photo.write_bytes(scene)
    with visit() as visitor:
        page = visitor.page

        def tab_to(target: str) -> None:
            for _ in range(40):
                page.keyboard.press("Tab")
                if page.evaluate("() => document.activeElement.id") == target:
                    return
            raise AssertionError(f"{target} cannot be reached")

        page.on("filechooser", lambda _: None)  # Playwright begins to look out for one when somebody listens
        tab_to("choose")
        with page.expect_file_chooser() as choosing:
            page.keyboard.press("Enter")
        choosing.value.set_files(photo)
        visitor.wait_for("ready")
        tab_to("protect")
        page.keyboard.press("Enter")
        expect(page.locator("#progress-title")).to_be_focused()
        visitor.wait_for("done")
        expect(page.locator("#verdict")).to_be_focused()
        tab_to("download")
        with page.expect_download():
            page.keyboard.press("Enter")
        tab_to("erase")
        page.keyboard.press("Enter")
        visitor.wait_for("erased")
        expect(page.locator("#erased-title")).to_be_focused()


def test_it_speaks_chinese_to_whoever_reads_it(visit: Visiting, scene: bytes) -> None:
    with visit(locale="zh-CN") as visitor:
        page = visitor.page
        assert page.get_attribute("html", "lang") == "zh-Hans"
        visitor.choose(scene)
        visitor.wait_for("ready")
        page.click("#protect")
        visitor.wait_for("done")
        left = re.sub(r"[^a-zA-Z ]", "", page.inner_text("#work"))
        assert "recogniser" not in left
        assert "{" not in page.inner_text("body")
        assert re.search(r"\d 个识别器中有 \d 个不再认识这张脸", page.inner_text("#reports"))
