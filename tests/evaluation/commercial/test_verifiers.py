"""Commercial verifiers are asked as their documentation says, politely, and their refusals are told apart."""

import io
import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from random import Random

import httpx
import numpy as np
import pytest
from PIL import Image

from evaluation.commercial.errors import (
    VerifierError,
    VerifierNoFace,
    VerifierRefused,
    VerifierUnauthorised,
    VerifierUnavailable,
)
from evaluation.commercial.verifier import Access, Confidence, Patience, RemoteVerifier, Verifier
from evaluation.verifiers import VERIFIERS
from evaluation.verifiers.aliyun import authorise
from tests.evaluation.commercial.verifier_server import KEY, SECRET, Reply, VerifierServer, likeness, serving

SHORT = Patience(attempts=3, first_s=0.01)
BUSY = {
    "facepp": Reply(403, '{"error_message": "CONCURRENCY_LIMIT_EXCEEDED", "time_used": 1}'),
    "aliyun": Reply(400, '{"Code": "Throttling.User", "Message": "Request was denied due to user flow control."}'),
}


def picture(seed: int, size: tuple[int, int] = (400, 500), kind: str = "JPEG") -> bytes:
    """Coarse coloured noise, which the server takes for a face."""
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize(size).save(buffer, kind)
    return buffer.getvalue()


def blank() -> bytes:
    """A picture without a face."""
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400), "grey").save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Asked:
    """A verifier of either kind and the server that it asks."""

    name: str
    server: VerifierServer
    client: httpx.Client

    def verifier(
        self, key: str = KEY, secret: str = SECRET, per_second: float = 1000, patience: Patience = SHORT
    ) -> Verifier:
        access = Access(self.server.url, key, secret)
        return RemoteVerifier(VERIFIERS[self.name], access, self.client, per_second, patience, Random(0))


@pytest.fixture(params=["facepp", "aliyun"])
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    with serving() as server, httpx.Client(timeout=20, trust_env=False) as client:
        yield Asked(request.param, server, client)


def test_the_registry_finds_both() -> None:
    assert set(VERIFIERS) == {"facepp", "aliyun"}


def test_a_comparison_is_accepted_by_a_server_that_checks_the_protocol(asked: Asked) -> None:
    a, b = picture(1), picture(2)
    confidence = asked.verifier().compare(a, b)
    (request,) = asked.server.requests
    assert request.pictures == [a, b]
    assert confidence.value == likeness(a, b)
    assert confidence.thresholds["1e-3"] < confidence.thresholds["1e-4"] < confidence.thresholds["1e-5"]


def test_each_gets_its_keys_where_its_documentation_wants_them(asked: Asked) -> None:
    asked.verifier().compare(picture(1), picture(2))
    (request,) = asked.server.requests
    if asked.name == "facepp":
        assert request.path == "/facepp/v3/compare"
        assert request.fields == {"api_key": KEY, "api_secret": SECRET}
    else:
        assert request.path == "/"
        assert request.fields == {}
        assert SECRET not in json.dumps(request.headers)


def test_every_request_to_aliyun_has_a_nonce_of_its_own_repeats_included() -> None:
    with serving() as server, httpx.Client(trust_env=False) as client:
        server.replies.append(BUSY["aliyun"])
        verifier = Asked("aliyun", server, client).verifier()
        verifier.compare(picture(1), picture(2))
        verifier.compare(picture(1), picture(2))
        assert len({request.headers["x-acs-signature-nonce"] for request in server.requests}) == 3


def test_the_signature_is_the_one_of_the_published_example() -> None:
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com", "x-acs-action": "RunInstances", "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-version": "2014-05-26",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }  # fmt: skip
    query = "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai"
    access = Access("https://ecs.cn-shanghai.aliyuncs.com", "YourAccessKeyId", "YourAccessKeySecret")
    assert authorise(headers, access, query) == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_a_small_picture_in_another_format_arrives_within_the_limits(asked: Asked) -> None:
    asked.verifier().compare(picture(1, (64, 64), "PNG"), picture(2))
    (sent, _) = asked.server.requests[0].pictures
    with Image.open(io.BytesIO(sent)) as image:
        assert image.format == "JPEG"
        assert min(image.size) == VERIFIERS[asked.name].limits.min_side_px


def test_a_busy_service_is_asked_again(asked: Asked) -> None:
    broken = Reply(500, '{"error_message": "INTERNAL_ERROR", "Code": "InternalError.Algo"}')
    asked.server.replies.extend([BUSY[asked.name], Reply(503, "<html>"), broken])
    asked.verifier(patience=Patience(4, 0.01)).compare(picture(1), picture(2))
    assert len(asked.server.requests) == 4


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, '{"confidence": 9'),
        Reply(200, "[]"),
        Reply(200, '{"confidence": 120, "thresholds": {"1e-3": 1, "1e-4": 2, "1e-5": 3}, "Data": {}}'),
        Reply(200, "{}"),
        Reply(502, "bad gateway"),
    ],
    ids=["cut off", "not an object", "not a confidence", "no fields", "broken"],
)
def test_an_unreadable_answer_is_asked_for_again(asked: Asked, reply: Reply) -> None:
    asked.server.replies.append(reply)
    asked.verifier().compare(picture(1), picture(2))
    assert len(asked.server.requests) == 2


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(asked: Asked) -> None:
    asked.server.replies.append(Reply(200, "{}", after_s=1.5))
    asked.client.timeout = httpx.Timeout(1)
    asked.verifier().compare(picture(1, (160, 320)), picture(2, (160, 320)))
    assert len(asked.server.requests) == 2


def test_a_service_that_stays_busy_is_given_up(asked: Asked) -> None:
    asked.server.replies.extend([BUSY[asked.name]] * 3)
    with pytest.raises(VerifierUnavailable, match="attempt 3 of 3") as caught:
        asked.verifier().compare(picture(1), picture(2))
    assert caught.value.code == "verifier_unavailable"
    assert len(asked.server.requests) == 3


def test_nobody_at_the_address_is_unavailable(asked: Asked) -> None:
    access = Access("http://127.0.0.1:9", KEY, SECRET)
    verifier = RemoteVerifier(VERIFIERS[asked.name], access, asked.client, 1000, Patience(2, 0.01))
    with pytest.raises(VerifierUnavailable, match="ConnectError"):
        verifier.compare(picture(1), picture(2))


def test_the_time_that_a_service_asks_for_is_given(asked: Asked) -> None:
    busy = BUSY[asked.name]
    asked.server.replies.append(Reply(busy.status, busy.body, {"Retry-After": "1"}))
    asked.verifier().compare(picture(1), picture(2))
    first, second = asked.server.requests
    assert second.at - first.at >= 1


@pytest.mark.parametrize("said", ["3600", formatdate(4e9, usegmt=True)])
def test_a_service_that_asks_for_too_much_time_is_given_up_at_once(asked: Asked, said: str) -> None:
    asked.server.replies.append(Reply(429, "", {"Retry-After": said}))
    with pytest.raises(VerifierUnavailable, match="attempt 1 of 3"):
        asked.verifier().compare(picture(1), picture(2))
    assert len(asked.server.requests) == 1


def test_requests_keep_their_distance(asked: Asked) -> None:
    asked.server.replies.append(BUSY[asked.name])
    verifier = asked.verifier(per_second=5)
    for seed in (1, 2, 3):
        verifier.compare(picture(seed), picture(9))
    times = [request.at for request in asked.server.requests]
    assert len(times) == 4
    assert times[-1] - times[0] >= 0.45  # three gaps of 0.2 s; the first request is the slowest to arrive


def test_a_wrong_key_ends_at_once(asked: Asked) -> None:
    with pytest.raises(VerifierUnauthorised) as caught:
        asked.verifier(key="another-key").compare(picture(1), picture(2))
    assert caught.value.code == "verifier_unauthorised"
    assert len(asked.server.requests) == 1


def test_a_picture_without_a_face_is_an_error_of_its_own(asked: Asked) -> None:
    for a, b in ((blank(), picture(1)), (picture(1), blank())):
        with pytest.raises(VerifierNoFace) as caught:
            asked.verifier().compare(a, b)
        assert caught.value.code == "verifier_no_face"
    assert len(asked.server.requests) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, '{"error_message": "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_file1", "Code": "InvalidFile.Decode"}'),
        Reply(413, "Request Entity Too Large"),
        Reply(302, "", {"Location": "/facepp/v3/compare"}),
    ],
    ids=["format", "size", "elsewhere"],
)
def test_what_would_be_refused_again_is_not_sent_again(asked: Asked, reply: Reply) -> None:
    asked.server.replies.append(reply)
    with pytest.raises(VerifierRefused) as caught:
        asked.verifier().compare(picture(1), picture(2))
    assert caught.value.code == "verifier_refused"
    assert len(asked.server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        None,
        Reply(403, json.dumps({"error_message": f"AUTHORIZATION_ERROR:{SECRET} {KEY}", "Code": f"Forbidden.{SECRET}"})),
        Reply(400, json.dumps({"error_message": f"BAD_ARGUMENTS:{SECRET}", "Code": f"Bad\x1b[2J{KEY}"})),
        Reply(500, SECRET),
    ],
    ids=["signature", "forbidden", "refused", "broken"],
)
def test_keys_are_in_no_error_whatever_the_service_repeats(asked: Asked, reply: Reply | None) -> None:
    if reply:
        asked.server.replies.extend([reply] * 3)
    verifier = asked.verifier() if reply else asked.verifier(secret="wrong-and-secret")
    with pytest.raises(VerifierError) as caught:
        verifier.compare(picture(1), picture(2))
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(verifier))
    assert not any(word in told for word in (SECRET, KEY, "wrong-and-secret"))
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


def test_a_match_is_at_or_above_the_threshold_of_one_in_a_thousand() -> None:
    thresholds = {"1e-3": 60.0, "1e-4": 70.0, "1e-5": 80.0}
    assert [Confidence(value, thresholds).is_match for value in (59.9, 60.0, 90.0)] == [False, True, True]
