"""A photo goes in and comes back, by either client, from a real service."""

import asyncio
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cli.stack.stack import Stack
from diffam_client import (
    AsyncClient,
    BadRequest,
    Client,
    Event,
    Job,
    JobFailed,
    NotOver,
    NotThere,
    Picture,
    Protected,
)
from tests.cli.stack.test_stack import photo as coloured
from tests.diffam_client.conftest import Caller

pytestmark = pytest.mark.xdist_group("client")


def as_jpeg(png: bytes) -> bytes:
    """The photo as a JPEG."""
    file = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").save(file, "JPEG", quality=81)
    return file.getvalue()


def test_a_photo_comes_back_in_its_own_format_with_what_it_is_worth(call: Caller, photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(as_jpeg(photo))
    protected = call("protect", str(tmp_path / "me.jpg"), reference="rose")
    assert isinstance(protected, Protected)
    saved = protected.save(tmp_path / "out.jpg")
    assert saved.read_bytes() == protected.photo
    with Image.open(saved) as picture:
        assert (picture.format, picture.size, protected.media_type) == ("JPEG", (96, 96), "image/jpeg")
    assert protected.job.status == "succeeded"
    (face,) = protected.faces
    (verdict,) = protected.verdicts
    assert (face.status, verdict.word) == ("protected", "weak")
    (picture_of_it,) = protected.pictures
    assert (picture_of_it.reference, picture_of_it.target, picture_of_it.strength) == ("rose", "ada", 1.0)


@pytest.mark.parametrize("form", ["path", "bytes", "file"])
def test_a_photo_is_a_path_bytes_or_an_open_file(call: Caller, photo: bytes, tmp_path: Path, form: str) -> None:
    path = tmp_path / "me.png"
    path.write_bytes(photo)
    with path.open("rb") as file:
        sent = {"path": path, "bytes": photo, "file": file}[form]
        job = call("submit", sent, reference="rose")
    assert (job.kind, job.input.width, job.input.reference_id) == ("protect", 96, "rose")
    call("erase", job)


def test_every_wish_reaches_the_service(call: Caller, photo: bytes) -> None:
    wish: dict[str, Any] = {
        "reference": "rose", "target": "ada", "strength": 0.5, "effort": "quick", "faces": [0, 2],
        "regions": ["lips", "eyes"], "survival": ["jpeg75", "half"], "judges": [], "candidates": 2, "keep": ["date"],
        "output_format": "webp", "quality": 80, "ttl_s": 60, "expires_in_s": 50, "cancel_after_s": 40,
    }  # fmt: skip
    job = call("submit", photo, **wish)
    assert isinstance(job, Job)
    told = job.input.model_dump()
    renamed = {"reference": "reference_id", "target": "target_id"}
    fields = {renamed.get(name, name): value for name, value in wish.items() if not name.endswith("_s")}
    assert {name: told[name] for name in fields} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    assert job.end_by is not None
    assert round((job.end_by - job.created_at).total_seconds()) == 40
    call("erase", job)


def test_what_is_left_out_or_none_the_service_decides(call: Caller, photo: bytes) -> None:
    job = call("submit", photo, reference="rose", target=None, judges=None, survival=(), ttl_s=None, effort=None)
    assert (job.input.target_id, job.input.judges, job.input.survival, job.input.output_format) == (
        "ada", None, (), "png",
    )  # fmt: skip
    call("erase", job)


def test_several_candidates_are_several_pictures(call: Caller, photo: bytes, tmp_path: Path) -> None:
    protected = call("protect", photo, reference="rose", candidates=2)
    assert len(protected.pictures) == 2
    assert protected.photo == protected.pictures[0].photo
    assert call("result", protected.job, 1) == protected.pictures[1].photo
    assert protected.pictures[1].save(tmp_path / "second.PNG").stat().st_size == len(protected.pictures[1].photo)


def test_a_name_that_promises_another_format_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    picture = Picture(b"png", "image/png", "rose", None, 1.0, [])
    with pytest.raises(ValueError, match="image/png"):
        picture.save(tmp_path / "out.jpg")
    assert list(tmp_path.iterdir()) == []
    assert picture.save(tmp_path / "out").read_bytes() == b"png"


def test_every_change_is_told_once_in_order_and_the_last_is_the_end(call: Caller, photo: bytes) -> None:
    told: list[Event] = []
    job = call("protect", photo, told.append, reference="rose").job
    assert [event.revision for event in told] == list(range(1, job.revision + 1))
    assert (told[0].status, told[-1].status) == ("queued", "succeeded")
    stages = dict.fromkeys(event.progress.stage for event in told if event.progress)
    assert list(stages) == ["detect", "invert", "make_up", "composite", "score"]


def test_an_asynchronous_client_awaits_who_is_told(call: Caller, photo: bytes) -> None:
    told: list[int] = []

    async def tell(event: Event) -> None:
        told.append(event.revision)

    assert call("protect", photo, tell, reference="rose").job.revision == told[-1]


def test_a_photo_without_a_face_fails_with_the_code_of_its_job(call: Caller) -> None:
    with pytest.raises(JobFailed, match="no_face_found") as failed:
        call("protect", coloured("black"), reference="rose")
    assert (failed.value.code, failed.value.job.status, failed.value.retryable) == ("no_face_found", "failed", False)


def test_a_wrong_wish_is_refused_with_every_field_at_fault(call: Caller, photo: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        call("submit", photo, reference="tulip", strength=2)
    error = refused.value
    assert (error.code, error.status, error.param, error.title) == ("invalid_field", 422, "strength", "Invalid field")
    assert [(each.param, each.code) for each in error.errors] == [
        ("strength", "invalid_field"),
        ("reference_id", "unknown_reference"),
    ]
    assert (error.retryable, error.retry_after_s) == (False, None)
    assert str(error) == f"invalid_field: {error.detail}"
    assert error.request_id


def test_who_is_out_of_patience_is_told_and_may_wait_again(call: Caller, photo: bytes) -> None:
    job = call("submit", photo, reference="rose")
    with pytest.raises(NotOver, match=r"not over in 0\.2 s") as late:
        call("wait", job, timeout_s=0.2)
    assert late.value.job_id == job.id
    assert call("wait", late.value.job_id, timeout_s=60).status == "succeeded"
    call("erase", job)


def test_whoever_interrupts_the_waiting_takes_the_job_back(call: Caller, client: Client, photo: bytes) -> None:
    known = {job.id for job in client.jobs()}

    def interrupt(event: Event) -> None:
        if event.status == "running":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call("protect", photo, interrupt, reference="rose")
    (mine,) = [job for job in client.jobs() if job.id not in known]
    assert client.wait(mine).canceled_by == "user"


def test_a_task_that_is_canceled_takes_its_job_back(stack: Stack, client: Client, photo: bytes) -> None:
    known = {job.id for job in client.jobs()}

    async def protect_in_time() -> None:
        async with AsyncClient(stack.url) as service, asyncio.timeout(0.6):
            await service.protect(photo, reference="rose")

    with pytest.raises(TimeoutError):
        asyncio.run(protect_in_time())
    (mine,) = [job for job in client.jobs() if job.id not in known]
    assert client.wait(mine).canceled_by == "user"


def test_many_photos_are_under_way_at_once(stack: Stack, photo: bytes) -> None:
    async def all_of_them() -> list[Protected]:
        async with AsyncClient(stack.url) as service:
            return await asyncio.gather(*(service.protect(photo, reference="rose") for _ in range(6)))

    protected = asyncio.run(all_of_them())
    assert len({each.job.id for each in protected}) == 6
    assert max(each.job.timings.batch_size or 0 for each in protected) > 1


def test_a_blocking_client_works_beneath_a_running_loop(stack: Stack, photo: bytes) -> None:
    async def as_in_a_notebook() -> str:
        with Client(stack.url) as service:
            next(iter(service.events(service.submit(photo, reference="rose"))))
            return service.protect(photo, reference="rose").job.status

    assert asyncio.run(as_in_a_notebook()) == "succeeded"


def test_a_callback_that_waits_for_a_loop_is_no_callback_of_a_blocking_client(client: Client, photo: bytes) -> None:
    known = {job.id for job in client.jobs()}

    async def tell(_: Event) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="AsyncClient"):
        client.protect(photo, tell, reference="rose")
    (mine,) = [job for job in client.jobs() if job.id not in known]
    assert client.wait(mine).canceled_by == "user"


def test_errors_travel_between_processes(call: Caller, photo: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        call("submit", photo, reference="tulip")
    with pytest.raises(JobFailed) as failed:
        call("protect", coloured("black"), reference="rose")
    for error in (refused.value, failed.value, NotOver("the-id", 5)):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(again), str(again), again.code) == (type(error), str(error), error.code)


def test_what_comes_again_under_a_key_of_ones_own_is_the_same_job(call: Caller, client: Client, photo: bytes) -> None:
    key = f"holiday-{call.kind}"

    def interrupt(_: Event) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        call("protect", photo, interrupt, reference="rose", idempotency_key=key)
    protected = call("protect", photo, reference="rose", idempotency_key=key)
    assert protected.job.canceled_by is None
    assert client.submit(photo, reference="rose", output_format="same", idempotency_key=key).id == protected.job.id


def test_a_job_that_is_not_stored_brings_its_pictures_along(call: Caller, photo: bytes) -> None:
    protected = call("protect", photo, reference="rose", store=False, candidates=2)
    assert [picture.photo[:4] for picture in protected.pictures] == [b"\x89PNG", b"\x89PNG"]
    with pytest.raises(NotThere, match="erased_job"):
        call("get", protected.job)


def test_faces_are_told_and_their_photo_is_not_kept(call: Caller, photo: bytes) -> None:
    (face,) = call("faces", photo)
    assert (face.index, face.status, face.box) == (0, "found", (0, 0, 96, 96))
    assert call("faces", coloured("black")) == []
