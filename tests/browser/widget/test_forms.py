"""Forms wait for their photos however they are sent, and no script sees an original wherever its input is."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.widget.conftest import USE, Opening, choose, digest, names
from tests.other_site import Site
from tests.story.conftest import Service

pytestmark = pytest.mark.browser

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
