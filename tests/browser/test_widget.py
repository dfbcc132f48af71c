"""The widget on somebody else's site, which gets what it protects, and an original only by its visitor's word."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from jobs.access.keys import create_key, revoke_key
from jobs.settings import Settings
from tests.app.conftest import bundles, serving
from tests.browser.test_accessible import SIZES, is_too_wide
from tests.browsing import Visit, visiting
from tests.other_site import Site, other_site
from tests.story.conftest import Service, png

__all__ = ["bundles"]

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "examples/photo-sharing/site.py"
USE = "dialog button.primary:visible"
ANYWAY = "text=Post it anyway, unprotected"
LABELS = "(buttons) => buttons.map((button) => button.ariaLabel)"
TOLD = """() => { window.told = [];
    for (const name of ["protecting", "protected", "failed", "canceled"])
        window.addEventListener(`diffam:${name}`, ({detail}) => window.told.push([name, detail])); }"""
IN_THE_DIALOG = {"fromShadowDom": ["html > div", "dialog"]}
UNSEEN = {
    "no document": "() => { open = () => input.click(); }",
    "no document, by an event": "() => { open = () => input.dispatchEvent(new MouseEvent('click')); }",
    "no document, by its picker": "() => { open = () => input.showPicker(); }",
    "no document, by its label": """() => {
        const label = document.createElement("label");
        label.append(input);
        open = () => label.click();
    }""",
}
SEEN = {
    "an open root": "() => host.attachShadow({mode: 'open'}).append(form)",
    "a closed root": "() => host.attachShadow({mode: 'closed'}).append(form)",
    "a root written in HTML": """() => {
        const policy = trustedTypes.createPolicy("written", {createHTML: (html) => html});
        const html = `<p><template shadowrootmode="open">${form.outerHTML}</template></p>`;
        host.setHTMLUnsafe(policy.createHTML(html));
        form = host.firstChild.shadowRoot.firstChild;
        input = form.firstChild;
    }""",
    "a form, before it is for files": """() => {
        input.type = "text";
        host.append(form);
        setTimeout(() => { input.type = "file"; });
    }""",
    "another realm": """() => {
        const frame = document.createElement("iframe");
        host.append(frame);
        input = frame.contentDocument.importNode(input);
        form.replaceChildren(input);
        host.append(form);
    }""",
}
MADE = """(isEnabled) => {
    const host = document.createElement("div");
    const form = Object.assign(document.createElement("form"), {method: "post", action: "/posts"});
    const input = Object.assign(document.createElement("input"), {type: "file", name: "photo", disabled: !isEnabled});
    form.enctype = "multipart/form-data";
    Object.assign(input.dataset, {diffamReference: "rose", diffamEnable: ""});
    document.body.append(host);
    form.append(input);
    Object.assign(window, {host, form, input, seen: [], open: () => window.input.click()});
}"""
WATCHED = "() => { input.onchange = () => seen.push(input.files.length); }"
Opening = Callable[..., AbstractContextManager[Visit]]


def digest(data: bytes) -> str:
    """As the site records it."""
    return sha256(data).hexdigest()


def choose(page: Page, *photos: bytes, kind: str = "image/png", ending: str = "png") -> None:
    """Choose files in the site's form, as a visitor does."""
    files: list[Any] = [
        {"name": f"{number}.{ending}", "mimeType": kind, "buffer": photo} for number, photo in enumerate(photos)
    ]
    page.set_input_files("#photo", files)


def names(page: Page) -> list[str]:
    """What the form would send now."""
    found: list[str] = page.evaluate("Array.from(document.getElementById('photo').files, (file) => file.name)")
    return found


@pytest.fixture
def elsewhere(browser: Browser, site: Site, service: Service) -> Opening:
    """Opens a page of the site, to which nothing has been sent yet."""
    site.posts.clear()

    def begin(path: str, origin: str = site.origin, **context: Any) -> AbstractContextManager[Visit]:
        return visiting(browser, f"{origin}/{path}", "#photo", service=service.stack.url, **context)

    return begin


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


def test_a_form_that_a_script_sends_waits_for_its_photo(elsewhere: Opening, site: Site, scene: bytes) -> None:
    with elsewhere("submits") as visit:  # its script submits as soon as it sees a photo
        choose(visit.page, scene)
        visit.page.click(USE)
        visit.page.wait_for_selector("#thanks")
    for call in ("submit()", "requestSubmit()", "requestSubmit(document.getElementById('post'))"):
        with elsewhere("plain") as visit:
            choose(visit.page, scene)
            visit.page.wait_for_selector("dialog[open]")
            before = len(site.posts)
            visit.page.evaluate(f"() => document.querySelector('form').{call}")
            visit.page.click(USE)
            visit.page.wait_for_selector("#thanks")
            assert len(site.posts) == before + 1
    assert [len(post) for post in site.posts] == [1, 1, 1, 1]
    assert digest(scene) not in site.digests()


def test_a_form_whose_photo_is_given_up_is_not_sent(elsewhere: Opening, site: Site, scene: bytes) -> None:
    with elsewhere("plain") as visit:
        choose(visit.page, scene)
        visit.page.wait_for_selector("dialog[open]")
        visit.page.evaluate("() => document.querySelector('form').submit()")
        visit.page.click("dialog >> text=Cancel")
        visit.page.wait_for_timeout(300)
        assert visit.page.locator("#thanks").count() == 0
    assert site.posts == []


def test_a_form_whose_input_was_replaced_and_given_up_is_not_sent_later(
    elsewhere: Opening, site: Site, scene: bytes
) -> None:
    send_and_replace = """() => {
        const input = document.getElementById("photo");
        input.form.submit();
        input.replaceWith(Object.assign(input.cloneNode(), {required: false}));
    }"""
    with elsewhere("plain") as visit:
        choose(visit.page, scene)
        visit.page.wait_for_selector("dialog[open]")
        visit.page.evaluate(send_and_replace)
        visit.page.keyboard.press("Escape")
        expect(visit.page.locator("dialog")).to_have_count(0)
        choose(visit.page, b"%PDF-1.7", kind="application/pdf", ending="pdf")
        visit.page.wait_for_function("() => document.getElementById('photo').files.length === 1")
        visit.page.wait_for_timeout(300)
        assert visit.page.locator("#thanks").count() == 0
    assert site.posts == []


def place(page: Page, where: str) -> None:
    """Make a form with an input there, which the widget enables where it can see it."""
    page.evaluate(MADE, where in UNSEEN)
    page.evaluate((UNSEEN | SEEN)[where])
    page.evaluate(WATCHED)
    page.wait_for_function("() => !input.disabled")


def choose_there(page: Page, kind: str, photo: bytes) -> None:
    """Open the input as the site's script does, and choose."""
    with page.expect_file_chooser() as choosing:
        page.evaluate("() => open()")
    choosing.value.set_files({"name": "a photo", "mimeType": kind, "buffer": photo})
    page.wait_for_selector("dialog[open]")


def test_wherever_the_input_is_no_script_sees_the_original(elsewhere: Opening) -> None:
    put = """() => {
        const data = new DataTransfer();
        data.items.add(new File(["a film"], "a.mp4", {type: "video/mp4"}));
        input.files = data.files;
    }"""
    sent = "() => new FormData(form).getAll('photo').length"
    with elsewhere("plain") as visit:
        page = visit.page
        for where in UNSEEN | SEEN:
            place(page, where)
            choose_there(page, "video/mp4", b"a film")
            page.keyboard.press("Escape")
            expect(page.locator("dialog")).to_have_count(0)
            assert page.evaluate("() => [seen, input.files.length]") == [[], 0], where
            if where in SEEN:
                page.evaluate(put)
                assert page.evaluate(sent) == 0, where
                page.evaluate("() => form.remove()")
                assert page.evaluate(sent) == 0, where


@pytest.mark.parametrize(
    ("where", "then"),
    [
        ("a closed root", "() => { form.append(document.createElement('button')); form.lastChild.click(); }"),
        ("no document, by its label", "() => { document.body.append(form); form.append(input); form.submit(); }"),
    ],
    ids=["closed root", "no document"],
)
def test_a_form_out_of_sight_waits_for_its_photo_and_so_does_one_that_its_input_joins(
    elsewhere: Opening, site: Site, scene: bytes, where: str, then: str
) -> None:
    with elsewhere("plain") as visit:
        place(visit.page, where)
        choose_there(visit.page, "image/png", scene)
        visit.page.evaluate(then)
        visit.page.click(USE)
        visit.page.wait_for_selector("#thanks")
    ((sent,),) = site.posts
    assert sent[1] != digest(scene)


def test_a_site_that_takes_the_dialog_away_cancels_it_and_the_next_choice_has_one(
    elsewhere: Opening, scene: bytes
) -> None:
    with elsewhere("plain") as visit:
        page = visit.page
        for _ in range(2):
            choose(page, scene)
            page.wait_for_selector("dialog[open]")
            assert names(page) == []
            page.evaluate("() => document.documentElement.lastElementChild.remove()")


def test_a_script_that_could_not_start_leaves_the_way_to_the_next_one(elsewhere: Opening, service: Service) -> None:
    start = """async (address) => {
        await import(address).catch(() => {});
        return window[Symbol.for("diffam.widget")] === true;
    }"""
    forget = """() => {
        delete window[Symbol.for("diffam.widget")];
        for (const script of document.querySelectorAll("script")) script.remove();
    }"""
    name = """(src) => {
        document.head.append(Object.assign(document.createElement("script"), {type: "text/plain", src}));
    }"""
    with elsewhere("plain", bypass_csp=True) as visit:
        visit.page.evaluate(forget)
        address = f"{service.stack.url}/widget.js?v="
        assert not visit.page.evaluate(start, f"{address}1")  # nothing says where it came from
        visit.page.evaluate(name, f"{address}2")
        assert visit.page.evaluate(start, f"{address}3")


def test_files_that_a_script_puts_in_are_protected_when_the_form_is_sent(
    elsewhere: Opening, site: Site, scene: bytes
) -> None:
    put = """async (bytes) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "dropped.png", {type: "image/png"}));
        document.getElementById("photo").files = data.files;
        return new FormData(document.querySelector("form")).getAll("photo").length;
    }"""
    with elsewhere("plain") as visit:
        assert visit.page.evaluate(put, list(scene)) == 0  # whoever reads the form meanwhile gets none
        visit.page.click("#post")
        visit.page.click(USE)
        visit.page.wait_for_selector("#thanks")
    ((sent,),) = site.posts
    assert sent[0] == "dropped.png"
    assert sent[1] != digest(scene)


def test_a_form_that_comes_later_is_guarded_and_enabled(elsewhere: Opening, site: Site, scene: bytes) -> None:
    with elsewhere("plain") as visit:
        page = visit.page
        add = """() => {
            const input = Object.assign(document.createElement("input"), {type: "file", id: "photo", disabled: true});
            Object.assign(input, {name: "photo"});
            Object.assign(input.dataset, {diffamReference: "rose", diffamEnable: ""});
            document.querySelector("form").append(input);
        }"""
        page.evaluate("() => document.getElementById('photo').remove()")
        page.evaluate(add)
        page.wait_for_selector("#photo:enabled")
        choose(page, scene)
        page.click(USE)
        page.click("#post")
        page.wait_for_selector("#thanks")
    assert len(site.digests()) == 1
    assert digest(scene) not in site.digests()


def test_the_person_may_choose_the_look_where_the_site_leaves_it_open_and_what_they_left_out_stays_out(
    elsewhere: Opening, scene: bytes, blank: bytes
) -> None:
    with elsewhere("plain?multiple&reference=&effort=quick&strength=0.6") as visit:
        page = visit.page
        sent: list[str] = []
        page.route("**/v1/jobs", lambda route: note_fields(route, sent))
        choose(page, scene, blank)
        page.wait_for_selector("[aria-label='1.png: did not work']")
        page.click("[aria-label^='1.png']")
        page.click("dialog >> text=Leave it out")
        page.select_option("dialog select", "ember")
        page.wait_for_selector("progress:visible")
        page.click(USE)
        assert names(page) == ["0.png"]
    assert {("rose" in each, "ember" in each) for each in sent} == {(True, False), (False, True)}
    assert all("quick" in each and "0.6" in each and "me.png" not in each for each in sent)


def note_fields(route: Route, sent: list[str]) -> None:
    """Keep what a form says beside its photo."""
    sent.append((route.request.post_data_buffer or b"").decode("latin-1"))
    route.continue_()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_every_state_axe_finds_nothing_in_the_dialog_and_it_fits(
    elsewhere: Opening, scene: bytes, blank: bytes, size: str, scheme: Any
) -> None:
    with elsewhere("plain?multiple", viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce") as visit:
        page = visit.page
        seen: dict[str, list[str]] = {}

        def look_at(state: str) -> None:
            assert not is_too_wide(page), state
            box = page.locator("dialog").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= SIZES[size]["width"]
            seen[state] = found_in_the_dialog(page)

        choose(page, scene, blank)
        page.wait_for_selector("progress:visible")
        look_at("working")
        page.wait_for_selector("[aria-label='1.png: did not work']")
        page.click("[aria-label^='1.png']")
        look_at("failed")
        page.wait_for_selector("[aria-label='0.png: protected']", timeout=60_000)
        page.click("[aria-label^='0.png']")
        page.wait_for_selector("dialog input[type=range]")
        look_at("done")
        assert {state: found for state, found in seen.items() if found} == {}, json.dumps(seen)
        page.locator("dialog input[type=range]").evaluate("(slider) => { slider.ariaLabel = null; }")
        assert [each.split(":")[0] for each in found_in_the_dialog(page)] == ["label"]  # so it did look inside


def found_in_the_dialog(page: Page) -> list[str]:
    """What the axe engine holds against it, by rule and place; the site around it is its owner's."""
    violations = Axe().run(page, context={"include": [IN_THE_DIALOG]}).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in violations for node in rule["nodes"]]


def test_the_keyboard_is_enough_and_a_screen_reader_is_told(elsewhere: Opening, scene: bytes) -> None:
    with elsewhere("plain") as visit:
        page = visit.page
        choose(page, scene)
        page.wait_for_selector(USE)
        assert page.evaluate("document.activeElement.shadowRoot.activeElement.id") == "title"
        line = page.locator("dialog input[type=range]")
        page.keyboard.press("Tab")
        expect(line).to_be_focused()
        page.keyboard.press("ArrowLeft")
        assert line.input_value() == "49"
        for _ in range(5):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.shadowRoot?.activeElement?.textContent") == "Use this photo":
                break
        page.keyboard.press("Enter")
        assert names(page) == ["0.png"]


def test_it_speaks_the_language_of_the_site(elsewhere: Opening, scene: bytes) -> None:
    with elsewhere("plain?lang=zh-CN") as visit:
        choose(visit.page, scene)
        visit.page.wait_for_selector(USE)
        assert visit.page.inner_text(USE) == "使用这张照片"
        assert visit.page.get_attribute("dialog", "lang") == "zh-Hans"
        assert "{" not in visit.page.inner_text("dialog")


@pytest.fixture(scope="session")
def blank() -> bytes:
    """A photo of nobody."""
    from PIL import Image

    return png(Image.new("RGB", (320, 240), "teal"))


def test_a_key_in_the_page_goes_with_every_call_and_one_that_was_revoked_is_told(
    browser: Browser, settings: Settings, bundles: Path, scene: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://localhost:{listener.getsockname()[1]}"
        closed = settings.model_copy(update={"bundles_dir": bundles, "bundle": "small", "allowed_origins": (origin,)})
        key, secret = create_key(closed.keys, "a site", ["public"])
        with (
            serving(closed) as client,
            other_site(listener, str(client.base_url)) as site,
            visiting(browser, f"{origin}/plain?key={secret}", "#photo", service=str(client.base_url)) as visit,
        ):
            page = visit.page
            with page.expect_response("**/v1/jobs") as answering:
                choose(page, scene)
            assert answering.value.status == 202  # nobody works here: it waits
            with page.expect_response(lambda answer: answer.request.method == "DELETE") as erasing:
                page.click("dialog >> text=Cancel")
            assert erasing.value.status == 204
            asked = [each for each in visit.requests if "/v1/" in each.url]
            assert {each.headers["authorization"] for each in asked} == {f"Bearer {secret}"}
            revoke_key(closed.keys, key.id)
            choose(page, scene)
            page.wait_for_selector(ANYWAY)
            assert "no longer knows this site's key" in page.inner_text("dialog")
            assert site.posts == []


def test_the_example_starts_as_its_page_says_and_its_feed_shows_what_was_protected(
    browser: Browser, scene: bytes, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(EXAMPLE), "--port", str(port)]
    environment = os.environ | {"DIFFAM_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as example:
        assert example.stderr is not None
        assert any("Uvicorn running" in line for line in example.stderr)
        try:
            with browser.new_page() as page:
                page.goto(f"http://localhost:{port}/")
                page.fill("[name=author]", "Ada")
                page.set_input_files("[type=file]", {"name": "me.png", "mimeType": "image/png", "buffer": scene})
                page.click(USE)
                page.click("text=Share")
                page.wait_for_selector("article img")
                assert page.locator("article h2").inner_text().startswith("Ada")
                shown = page.request.get(f"http://localhost:{port}/posts/0/0")
                assert shown.headers["content-type"] == "image/png"
                assert digest(shown.body()) != digest(scene)
        finally:
            example.send_signal(signal.SIGINT)
