"""Forms: nothing that was sent is dropped, nothing that is malformed is an error of ours, every mistake is told."""

from collections.abc import Callable

import httpx
import pytest

from diffam_client.contract.problem import ProblemDocument
from tests.app.test_problems import problem

Post = Callable[..., httpx.Response]
BOUNDARY = "multipart/form-data; boundary=x"


def form(
    client: httpx.Client, *parts: tuple[str, bytes], kind: str = BOUNDARY, end: bytes = b"--x--\r\n"
) -> httpx.Response:
    """Sends `parts`, each with its own Content-Disposition, letter for letter."""
    body = b"".join(
        b"--x\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (said.encode(), content) for said, content in parts
    )
    headers = {b"Content-Type": kind.encode("latin-1")}
    return client.post("/v1/jobs", content=body + end, headers=headers)


def send(client: httpx.Client, jpeg: bytes, *fields: tuple[str, str]) -> httpx.Response:
    """A job in the look `rose`; fields may come more than once."""
    parts = [
        ("photo", ("me.jpg", jpeg)),
        *((name, (None, value)) for name, value in (("reference_id", "rose"), *fields)),
    ]
    return client.post("/v1/jobs", files=parts)  # type: ignore[arg-type]  # httpx takes it


def train(client: httpx.Client, body: bytes) -> ProblemDocument:
    """What is wrong with an order to train."""
    headers = {"Content-Type": "application/json"}
    return problem(client.post("/v1/references/rose/finetune", content=body, headers=headers))


def test_a_list_may_come_one_word_at_a_time(client: httpx.Client, jpeg: bytes) -> None:
    lists = [("faces", "0"), ("faces", "2"), ("regions", "lips"), ("regions", "eyes"), ("survival", "jpeg75,half")]
    job = send(client, jpeg, *lists, ("survival", ""), ("survival", "blur"))
    assert job.status_code == 202
    wish = job.json()["input"]
    assert (wish["faces"], wish["regions"], wish["survival"]) == ([0, 2], ["lips", "eyes"], ["jpeg75", "half", "blur"])


@pytest.mark.parametrize("values", [("0.2", "0.9"), ("0.2", "0.2")])
def test_a_single_field_that_comes_twice_is_refused(client: httpx.Client, jpeg: bytes, values: tuple[str, str]) -> None:
    document = problem(send(client, jpeg, *(("strength", value) for value in values)))
    assert (document.code, document.param) == ("invalid_field", "strength")
    assert "2 times" in document.detail


@pytest.mark.parametrize("faces", [("all", "2"), ("largest", "all"), ("0", "x")])
def test_words_and_numbers_do_not_mix(client: httpx.Client, jpeg: bytes, faces: tuple[str, str]) -> None:
    document = problem(send(client, jpeg, *(("faces", value) for value in faces)))
    assert (document.code, document.param) == ("invalid_field", "faces")


def test_two_photos_are_one_too_many(client: httpx.Client, jpeg: bytes) -> None:
    twice = [("photo", ("a.jpg", jpeg)), ("photo", ("b.jpg", jpeg)), ("reference_id", (None, "rose"))]
    document = problem(client.post("/v1/jobs", files=twice))  # type: ignore[arg-type]  # httpx takes it
    assert (document.code, document.param) == ("invalid_field", "photo")


def test_every_mistake_is_told(client: httpx.Client) -> None:
    answer = form(
        client, ('name="strength"', b"7"), ('name="glitter"', b"1"), ('name="vary"', b"a"), ('name="vary"', b"b")
    )
    document = problem(answer)
    told = [(each.param, each.code) for each in document.errors]
    assert told == [
        ("photo", "missing_field"),
        ("vary", "invalid_field"),
        ("reference_id", "missing_field"),
        ("strength", "invalid_field"),
        ("glitter", "invalid_field"),
    ]
    first = document.errors[0]
    assert (document.param, document.code, document.detail) == (first.param, first.code, first.detail)


def test_every_mistake_of_a_json_body_is_told(client: httpx.Client) -> None:
    document = train(client, b'{"held_out": 1, "surrogates": ["a", 2], "glitter": 1}')
    assert [(each.param, each.code) for each in document.errors] == [
        ("target_id", "missing_field"),
        ("held_out", "invalid_field"),
        ("surrogates.1", "invalid_field"),
        ("glitter", "invalid_field"),
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"strength": "5", "reference_id": "nobody"}, ["strength: invalid_field", "reference_id: unknown_reference"]),
        (
            {"reference_id": "nobody", "target_id": "nobody", "output_format": "avif"},
            ["reference_id: unknown_reference", "target_id: unknown_target", "output_format: invalid_field"],
        ),
        (
            {"output_format": "avif", "vary": "look", "candidates": "2"},
            ["output_format: invalid_field", "candidates: invalid_field"],
        ),
        (
            {"reference_id": "plum", "target_id": "ada", "vary": "look", "candidates": "2", "faces": "x"},
            ["faces: invalid_field", "target_id: style_not_trained", "candidates: invalid_field"],
        ),
        (  # how many looks there are, nobody can tell without a target; nor whether there is a style
            {"reference_id": "plum", "target_id": "b" * 65, "vary": "look", "candidates": "2"},
            ["target_id: invalid_field"],
        ),
        (
            {"reference_id": "r" * 65, "target_id": "bea", "vary": "look", "candidates": "2"},
            [
                "reference_id: invalid_field",
                "candidates: invalid_field",
            ],
        ),
        (
            {"target_id": "nobody", "vary": "hat", "candidates": "2"},
            [
                "vary: invalid_field",
                "target_id: unknown_target",
            ],
        ),
        ({"reference_id": "nobody"}, ["reference_id: unknown_reference"]),
        ({"output_format": "avif"}, ["output_format: invalid_field"]),
        ({"judges": "dlib,sface"}, ["judges: judge_missing"] * 2),
    ],
)
def test_what_is_not_on_offer_is_told_beside_the_other_mistakes(
    post: Post, fields: dict[str, str], told: list[str]
) -> None:
    document = problem(post(**fields))
    assert [f"{each.param}: {each.code}" for each in document.errors] == told
    first = document.errors[0]
    assert (document.param, document.code, document.detail) == (first.param, first.code, first.detail)


def test_what_is_not_on_offer_is_told_beside_a_missing_photo_and_a_doubled_field(client: httpx.Client) -> None:
    doubled = [(name, (None, value)) for name, value in (("reference_id", "nobody"), *[("target_id", "nobody")] * 2)]
    document = problem(client.post("/v1/jobs", files=doubled))
    assert [(each.param, each.code) for each in document.errors] == [
        ("photo", "missing_field"),
        ("target_id", "invalid_field"),
        ("reference_id", "unknown_reference"),
    ]


def test_the_one_field_at_fault_stands_among_the_errors_too(client: httpx.Client, post: Post) -> None:
    for document in (problem(post(b"no photo")), problem(client.get(f"{post().json()['links']['self']}/result"))):
        told = [(each.param, each.code, each.detail) for each in document.errors]
        assert told == ([(document.param, document.code, document.detail)] if document.param else [])


@pytest.mark.parametrize(("name", "code"), [("rose", "reference_exists"), ("A rose", "name_invalid")])
def test_a_name_that_cannot_be_is_told_beside_the_other_mistakes(client: httpx.Client, name: str, code: str) -> None:
    fields = {"reference_id": name, "title": "t" * 81}
    document = problem(client.post("/v1/references", files={"picture": b"x"}, data=fields))
    assert [(each.param, each.code) for each in document.errors] == [
        ("title", "invalid_field"),
        ("reference_id", code),
    ]
    assert problem(client.post("/v1/references", files={"picture": b"x"}, data={"reference_id": name})).code == code


def test_everything_that_cannot_be_trained_is_told(client: httpx.Client) -> None:
    document = train(client, b'{"target_id": "nobody", "held_out": "a", "surrogates": ["ir50", "b", "a"]}')
    assert [(each.param, each.code) for each in document.errors] == [
        ("target_id", "unknown_target"),
        ("held_out", "unknown_recogniser"),
        ("surrogates.1", "unknown_recogniser"),
        ("surrogates.2", "unknown_recogniser"),
        ("held_out", "held_out_attacked"),
    ]
    document = train(client, b'{"target_id": "ada", "held_out": "a"}')
    assert [each.code for each in document.errors] == ["unknown_recogniser", "style_exists"]
    document = train(client, b'{"target_id": "bea", "held_out": "a"}')
    assert (document.param, document.code, len(document.errors)) == ("held_out", "unknown_recogniser", 1)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b'{"held_out": "a", "held_out": "b"}', "invalid_field", "held_out"),
        (b'{"\\ud800": 1}', "invalid_field", "body"),
        (b'{"target_id": "\\ud800", "held_out": "a"}', "invalid_field", "target_id"),
        (b'{"held_out', "malformed_request", None),
        (b"\xff", "malformed_request", None),
        (b"[" * 60_000, "malformed_request", None),
        (b"", "missing_field", "body"),
    ],
)
def test_a_json_body_that_is_odd_is_refused(client: httpx.Client, body: bytes, code: str, param: str | None) -> None:
    document = train(client, body)
    assert (document.code, document.param) == (code, param)


def test_json_that_does_not_say_so_is_told_how(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl -d says
    answer = client.post("/v1/references/rose/finetune", content=b'{"held_out": "ir50"}', headers=headers)
    assert (problem(answer).code, "application/json" in problem(answer).detail) == ("media_type_unsupported", True)


def test_a_query_parameter_that_comes_twice_is_refused(client: httpx.Client, post: Post) -> None:
    here = post().json()["links"]["self"]
    twice = problem(client.get(f"{here}/result?candidate=0&candidate=1"))
    assert (twice.code, twice.param, len(twice.errors)) == ("invalid_field", "candidate", 1)
    assert problem(client.get(f"{here}/result?candidate=x")).param == "candidate"


@pytest.mark.parametrize(
    "said", ["filename*=UTF-8''m%C3%A9.jpg", "filename*=undefined''me", 'FILENAME*=""', 'filename="a"']
)
def test_a_part_with_a_file_name_in_any_spelling_is_a_file(client: httpx.Client, jpeg: bytes, said: str) -> None:
    padded = jpeg + bytes(10_000)  # longer than a field may be
    answer = form(client, (f'name="photo"; {said}', padded), ('name="reference_id"', b"rose"))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "y" * 4000,
        'multipart/form-data; boundary="\\"',
        "multipart/form-data; boundary=\xff\xfe",
        "multipart/form-data; boundary*=UTF-8''x",
        *(
            f"{BOUNDARY}; charset={name}"
            for name in ("undefined", "idna", "punycode", "hex", "utf-16", "nonsense", "..")
        ),
    ],
)
def test_a_form_of_a_malformed_type_is_refused(client: httpx.Client, jpeg: bytes, kind: str) -> None:
    answer = form(client, ('name="photo"; filename="a"', jpeg), ('name="reference_id"', b"\xff"), kind=kind)
    assert problem(answer).code == "malformed_request"


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "us-ascii", "iso-8859-1"])
def test_a_charset_that_means_the_same_is_taken(client: httpx.Client, jpeg: bytes, name: str) -> None:
    parts = (('name="photo"; filename="a"', jpeg), ('name="reference_id"', b"rose"))
    assert form(client, *parts, kind=f"{BOUNDARY}; charset={name}").status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x--\r\n",
        b"--x\r\n\r\n\r\n--x--",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
        b"--x\r\nContent-Disposition: \xff\xfe; name*=\r\n\r\na\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n\xff\xd8\xff',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--x--',
        b"--x\r\n" + b"A" * 20_000 + b": b\r\n\r\n--x--",
        b"--x\r\n" + b"A: b\r\n" * 100 + b"\r\n--x--",
        b"--x\r\nA\0: b\r\n\r\n--x--",
    ],
)
def test_a_malformed_form_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": BOUNDARY})
    assert problem(answer).status in (400, 422)
    assert client.get("/livez").status_code == 200


def test_a_form_without_its_end_is_not_taken_for_a_whole_one(client: httpx.Client, jpeg: bytes) -> None:
    answer = form(client, ('name="photo"; filename="a"', jpeg), ('name="reference_id"', b"rose"), end=b"")
    assert problem(answer).code == "malformed_request"


def test_only_a_form_carries_a_photo(client: httpx.Client, jpeg: bytes) -> None:
    raw = client.post("/v1/jobs", content=jpeg + bytes(100_000), headers={"Content-Type": "image/jpeg"})
    assert problem(raw).code == "media_type_unsupported"
    zipped = client.post("/v1/jobs", content=b"", headers={"Content-Type": BOUNDARY, "Content-Encoding": "gzip"})
    assert problem(zipped).code == "media_type_unsupported"
    assert zipped.headers["accept-encoding"] == "identity"


def test_a_choice_that_nobody_made_is_no_file(client: httpx.Client) -> None:
    document = problem(form(client, ('name="photo"; filename=""', b""), ('name="reference_id"', b"rose")))
    assert (document.code, document.param) == ("missing_field", "photo")


def test_a_format_that_cannot_hold_the_photo_is_refused_before_there_is_a_job(post: Post, tall_png: bytes) -> None:
    refused = problem(post(tall_png, output_format="webp"))
    assert (refused.code, refused.param) == ("invalid_field", "output_format")
    assert "16383" in refused.detail
    assert post(tall_png, output_format="jpeg").status_code == 202
