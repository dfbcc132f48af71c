"""What the site is sent of the files that somebody chooses: protected ones, an original only by its owner's word."""

from typing import Any

import pytest
from playwright.sync_api import Dialog, expect

from tests.browser.widget.conftest import ANYWAY, TOLD, USE, Opening, choose, digest, names
from tests.other_site import Site
from tests.story.conftest import Service

pytestmark = pytest.mark.browser

LABELS = "(buttons) => buttons.map((button) => button.ariaLabel)"


def test_a_plain_form_sends_the_protected_photo_under_its_name(
    elsewhere: Opening, site: Site, service: Service, scene: bytes
) -> None:
    with elsewhere("plain") as visit:
        visit.page.evaluate(TOLD)
        choose(visit.page, scene)
        visit.page.click(USE)
        name, facts = visit.page.evaluate("window.told.at(-1)")
        assert (name, [each["protected"] for each in facts["files"]]) == ("protected", [True])
        visit.page.click("#post")
        visit.page.wait_for_selector("#thanks")
        ((sent,),) = site.posts
        assert sent[0] == "0.png"
        assert sent[1] != digest(scene)
        (job,) = {each.url.split("/")[5] for each in visit.requests if each.url.endswith("/result")}
        assert service.client.get(f"/v1/jobs/{job}").status_code == 410  # nothing of it is left there


def test_a_form_that_fetches_and_a_script_that_uploads_at_once_see_protected_ones_alone(
    elsewhere: Opening, site: Site, scene: bytes
) -> None:
    with elsewhere("fetches") as visit:
        choose(visit.page, scene)
        visit.page.click(USE)
        visit.page.click("#post")
        visit.page.wait_for_selector("body[data-sent]")
    with elsewhere("uploads") as visit:
        choose(visit.page, scene)
        visit.page.wait_for_selector("dialog[open]")
        assert visit.page.evaluate("window.seen") == []
        visit.page.click(USE)
        site.wait_for(2)
        assert visit.page.evaluate("window.seen") == [["input", 1], ["change", 1]]
    assert len(site.digests()) == 2
    assert digest(scene) not in site.digests()


def test_several_files_keep_their_order_and_each_failure_is_decided_by_itself(
    elsewhere: Opening, site: Site, scene: bytes, friends: bytes, blank: bytes
) -> None:
    document = b"%PDF-1.7 no photo"
    with elsewhere("plain?multiple") as visit:
        page = visit.page
        files = [("0.png", "image/png", scene), ("1.pdf", "application/pdf", document), ("2.png", "image/png", blank)]
        files += [("3.png", "image/png", friends), ("4.png", "", blank[:-1])]
        payload: list[Any] = [{"name": name, "mimeType": kind, "buffer": data} for name, kind, data in files]
        page.set_input_files("#photo", payload)
        expect(page.locator(".photo")).to_have_count(4)
        for name, choice in (("2.png", ANYWAY), ("4.png", "text=Leave it out")):
            page.wait_for_selector(f"[aria-label='{name}: did not work']")
            assert page.is_disabled(USE)
            page.click(f"[aria-label^='{name}']")
            page.click(f"dialog >> {choice}")
        expect(page.locator(USE)).to_have_text("Use these 3 photos", timeout=60_000)
        page.click(USE)
        page.click("#post")
        page.wait_for_selector("#thanks")
        (sent,) = site.posts
        assert [name for name, _ in sent] == ["0.png", "1.pdf", "2.png", "3.png"]
        assert [sent[1][1], sent[2][1]] == [digest(document), digest(blank)]
        assert not {digest(scene), digest(friends)} & set(site.digests())


def test_what_is_no_picture_passes_without_a_question(elsewhere: Opening, site: Site) -> None:
    document = b"%PDF-1.7 no photo"
    with elsewhere("plain") as visit:
        choose(visit.page, document, kind="application/pdf", ending="pdf")
        visit.page.wait_for_function("() => document.getElementById('photo').files.length === 1")
        assert visit.page.locator("dialog").count() == 0
        visit.page.click("#post")
        visit.page.wait_for_selector("#thanks")
    assert site.digests() == [digest(document)]


def test_what_has_no_type_is_asked_about_unless_it_is_a_pdf_or_text(elsewhere: Opening, site: Site) -> None:
    heads = {
        "a.jxl": b"\xff\x0a\xfa\x7f\0", "b.jp2": b"\0\0\0\x0cjP  \r\n\x87\n", "c.raf": b"FUJIFILMCCD-RAW 0201\0",
        "d.rw2": b"IIU\0\x18\0", "e.psd": b"8BPS\0\1", "f.mkv": b"\x1aE\xdf\xa3", "g": b"%PDF-1.7\n\0",
        "h": "Grüße, 世界\n".encode(),
    }  # fmt: skip
    choose_untyped = """(heads) => {
        const data = new DataTransfer();
        for (const [name, bytes] of heads) data.items.add(new File([new Uint8Array(bytes)], name));
        const input = document.getElementById("photo");
        input.files = data.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
    }"""
    with elsewhere("plain?multiple") as visit:
        visit.page.evaluate(choose_untyped, [(name, list(head)) for name, head in heads.items()])
        visit.page.wait_for_selector(".photo")
        asked = [label.split(":")[0] for label in visit.page.locator(".photo").evaluate_all(LABELS)]
        assert asked == list(heads)[:6]
        visit.page.keyboard.press("Escape")
        expect(visit.page.locator("dialog")).to_have_count(0)
    assert site.posts == []


def test_a_film_is_asked_about_and_the_service_never_sees_it(elsewhere: Opening, site: Site) -> None:
    with elsewhere("plain") as visit:
        choose(visit.page, b"a film", kind="video/mp4", ending="mp4")
        visit.page.wait_for_selector(ANYWAY)
        assert "This is a film" in visit.page.inner_text("dialog")
        assert not visit.page.is_visible("text=Try again")
        visit.page.keyboard.press("Escape")
        assert names(visit.page) == []
        assert not [each for each in visit.requests if "/v1/" in each.url]
    assert site.posts == []


def test_a_failure_asks_and_the_original_goes_only_by_that_word(elsewhere: Opening, site: Site, blank: bytes) -> None:
    with elsewhere("plain") as visit:
        page = visit.page
        page.evaluate(TOLD)
        choose(page, blank)
        page.wait_for_selector(ANYWAY)
        assert "No face was found" in page.inner_text("dialog")
        page.keyboard.press("Escape")
        assert names(page) == []
        choose(page, blank)
        page.wait_for_selector(ANYWAY)
        page.on("filechooser", lambda _: None)
        with page.expect_file_chooser() as choosing:
            page.click("text=Choose another")
        choosing.value.set_files([])
        assert names(page) == []
        choose(page, blank)
        page.click(ANYWAY)
        assert names(page) == ["0.png"]
        choose(page, blank)  # the word was for that one choice
        page.wait_for_selector(ANYWAY)
        page.click("dialog >> text=Cancel")
        assert names(page) == []
        codes = [detail.get("code") for name, detail in page.evaluate("window.told") if name == "failed"]
        assert codes == ["no_face_found"] * 4
        assert [name for name, _ in page.evaluate("window.told")].count("canceled") == 3
        choose(page, blank)
        page.click(ANYWAY)
        page.click("#post")
        page.wait_for_selector("#thanks")
    assert site.digests() == [digest(blank)]


def test_a_service_that_is_gone_sends_nothing_and_another_try_finds_it(
    elsewhere: Opening, site: Site, scene: bytes
) -> None:
    with elsewhere("plain") as visit:
        page = visit.page
        page.wait_for_load_state("networkidle")
        page.context.set_offline(True)
        choose(page, scene)
        page.wait_for_selector(ANYWAY, timeout=30_000)
        assert "cannot be reached" in page.inner_text("dialog")
        page.context.set_offline(False)
        page.click("text=Try again")
        page.click(USE)
        page.click("#post")
        page.wait_for_selector("#thanks")
    assert len(site.digests()) == 1
    assert digest(scene) not in site.digests()


def test_pages_of_another_origin_get_nothing_and_send_nothing(elsewhere: Opening, site: Site, scene: bytes) -> None:
    with elsewhere("plain", origin=f"http://127.0.0.1:{site.port}") as visit:
        page = visit.page
        said: list[str] = []

        def listen(alert: Dialog) -> None:
            said.append(alert.message)
            alert.dismiss()

        page.on("dialog", listen)
        choose(page, scene)
        page.wait_for_function("() => document.getElementById('photo').files.length === 0")
        page.evaluate("() => new Promise((resolve) => { setTimeout(resolve, 300); })")
        assert len(said) == 1
        assert "was not added" in said[0]
        page.evaluate("() => { document.getElementById('photo').required = false; }")
        page.click("#post")
        page.wait_for_selector("#thanks")
        assert not [each for each in visit.requests if "/v1/" in each.url]
        assert any("DiffAM: the photos were kept back" in each for each in visit.complaints)
        visit.complaints.clear()
    assert site.posts == [[]]
