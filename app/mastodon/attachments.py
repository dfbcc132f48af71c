"""An attachment's way: a job protects the picture; whoever asks for it afterwards, with their token, has it handed on.

Nothing is handed on without being asked for, so no token is kept, and a restart loses nothing. Of a job that failed
there is nothing to hand on: the original left the store with it.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import IO, Any

import anyio
import httpx
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.answers import settled
from app.mastodon.instance import Answer, File, Instance, unreachable
from app.mastodon.notes import Note, Notes, name_of
from app.problem import Problem
from app.routes.sending import asked_of
from app.service import Service
from app.submission import Submission
from diffam_client.contract.job import Job
from jobs.errors import ErasedJob, UnknownJob
from jobs.new_job import NewJob

READY, MADE, NOT_YET, NOT_FOUND = 200, (200, 202), 206, 404
LOOK_AGAIN_S = 0.2
CHANGING_S = 10.0
"""How long a change of what goes with a picture waits while the picture is being handed on."""
GONE = Answer(NOT_FOUND, {"error": "no attachment of yours has this id"})


@dataclass(frozen=True)
class Attachments:
    """Those of one token."""

    service: Service
    instance: Instance
    notes: Notes
    token: str

    async def may_upload(self, media_id: str) -> Answer | None:
        """What the instance says instead of "not found" of an id that is new; None: the token is one to upload with."""
        answer = await self.instance.ask("GET", _path(media_id), self.token)
        if answer.status < httpx.codes.BAD_REQUEST:
            raise unreachable("it knows an attachment that nobody made")
        return None if answer.status == NOT_FOUND else answer

    async def begin(self, media_id: str, upload: IO[bytes], wish: Submission, fields: dict[str, str]) -> Note:
        """Have a picture protected. fields: what goes with it.

        Raises PhotoRejected, Problem, LedgerError, StoreError.
        """
        name = name_of(media_id, self.token)
        style = self.service.catalog.style_for(wish.reference_id, wish.target_id)
        async with self.service.decoder.decode(upload, wish.keep) as photo:
            note = Note(fields=fields, width=photo.width, height=photo.height)
            new = NewJob(asked_of(photo, wish, style), self.service.bundle, job_id=name)
            await run_in_threadpool(self.notes.write, name, note)
            try:
                await self.service.enqueue(new, photo.png)
            except BaseException:
                with anyio.CancelScope(shield=True), suppress(RedisError):
                    await run_in_threadpool(self.notes.forget, name)
                raise
        return note

    async def note(self, media_id: str) -> Note | None:
        """What is remembered of it; None where it was not made here, or not with this token."""
        return await run_in_threadpool(self.notes.read, name_of(media_id, self.token))

    async def read(self, media_id: str, wait_s: int = 0) -> Answer:
        """200 once the instance has it and is done with it, 206 until then; handed on now if it can be.

        Raises Problem: it could not be protected, or the instance does not answer; LedgerError, RedisError.
        """
        deadline = monotonic() + wait_s
        while True:
            note = await self.note(media_id)
            if note is None:
                return GONE
            left_s = max(0, round(deadline - monotonic()))
            answer = await self._read(media_id, note, left_s)
            if answer.status != NOT_YET or monotonic() >= deadline or self.service.stopping.has_begun:
                return answer
            await anyio.sleep(LOOK_AGAIN_S)

    async def _read(self, media_id: str, note: Note, wait_s: int) -> Answer:
        if note.remote_id:
            return renamed(await self.instance.ask("GET", _path(note.remote_id), self.token), media_id)
        try:
            job, _ = await settled(self.service, name_of(media_id, self.token), f"wait={wait_s}")
        except (UnknownJob, ErasedJob):
            handed_on = await self.note(media_id)  # by somebody else, between two looks
            return Answer(NOT_YET, processing(media_id, handed_on)) if handed_on and handed_on.remote_id else GONE
        if not job.is_over:
            return Answer(NOT_YET, processing(media_id, note))
        if job.error:
            raise Problem("media_failed", f"it could not be protected, so it is not posted: {job.error.message}")
        return await self._hand_on(media_id, job)

    async def _hand_on(self, media_id: str, job: Job) -> Answer:
        """Give the protected picture to the instance, once, however many ask; then erase it here."""
        async with self.notes.alone(job.id) as is_alone:
            note = await self.note(media_id)
            if note is None:
                return GONE
            if not is_alone or note.remote_id:
                return Answer(NOT_YET, processing(media_id, note))
            picture = await run_in_threadpool(self.service.ledger.blob, "result", job.id)
            if picture is None or job.output is None or job.output.photo is None:
                return GONE
            file = File(picture, job.output.photo.media_type)
            answer = await self.instance.ask("POST", "/api/v2/media", self.token, note.fields, file)
            if answer.status not in MADE or not _id_of(answer):
                return answer
            made = note.model_copy(update={"remote_id": _id_of(answer), "fields": {}})
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self.notes.write, job.id, made)
                await run_in_threadpool(self._erase, job.id)
        is_ready = answer.status == READY and answer.document.get("url")
        return renamed(replace(answer, status=READY if is_ready else NOT_YET), media_id)

    async def change(self, media_id: str, fields: dict[str, str]) -> Answer:
        """Change what goes with a picture, wherever it is by now. Raises Problem, RedisError."""
        name = name_of(media_id, self.token)
        async with self.notes.alone(name, CHANGING_S) as is_alone:
            if not is_alone:
                raise Problem("media_not_ready", "the picture is on its way to the instance; change it in a moment")
            note = await self.note(media_id)
            if note is None:
                return GONE
            if note.remote_id:
                changed = await self.instance.ask("PUT", _path(note.remote_id), self.token, fields)
                return renamed(changed, media_id)
            note = note.model_copy(update={"fields": note.fields | fields})
            await run_in_threadpool(self.notes.write, name, note)
            return Answer(READY, processing(media_id, note))

    async def erase(self, media_id: str) -> Answer:
        """Forget a picture, here and there. Raises Problem, RedisError."""
        note, name = await self.note(media_id), name_of(media_id, self.token)
        if note and note.remote_id:
            answer = await self.instance.ask("DELETE", _path(note.remote_id), self.token)
            if answer.status != READY:
                return answer
        await run_in_threadpool(self.notes.forget, name)
        await run_in_threadpool(self._erase, name)
        return Answer(READY, {})

    async def remote_ids(self, media_ids: list[str], wait_s: int) -> dict[str, str] | Answer:
        """What the instance calls those that were made here; or why one of them is not there. Raises as `read`."""
        deadline = monotonic() + wait_s
        remote = {}
        for media_id in media_ids:
            if await self.note(media_id) is None:
                continue
            answer = await self.read(media_id, max(0, round(deadline - monotonic())))
            if answer.status == NOT_YET:
                raise Problem("media_not_ready", "a picture is still being protected; send this again in a moment")
            note = await self.note(media_id)
            if answer.status != READY or note is None or note.remote_id is None:
                return answer
            remote[media_id] = note.remote_id
        return remote

    def _erase(self, name: str) -> None:
        with suppress(UnknownJob, RedisError):  # what cannot be erased expires
            self.service.ledger.erase(name)


def _path(media_id: str) -> str:
    return f"/api/v1/media/{media_id}"


def processing(media_id: str, note: Note) -> dict[str, Any]:
    """An attachment that the instance does not have yet, as it would tell of one that it still works on."""
    size = {"width": note.width, "height": note.height, "size": f"{note.width}x{note.height}"}
    return {
        "id": media_id,
        "type": "image",
        "url": None,
        "preview_url": None,
        "remote_url": None,
        "text_url": None,
        "meta": {"original": size | {"aspect": note.width / note.height}},
        "description": note.fields.get("description"),
        "blurhash": None,
    }


def renamed(answer: Answer, media_id: str) -> Answer:
    """What the instance says of an attachment, under the id that its client knows."""
    return replace(answer, document=answer.document | {"id": media_id}) if _id_of(answer) else answer


def _id_of(answer: Answer) -> str | None:
    document = answer.document
    return str(document["id"]) if isinstance(document, dict) and document.get("id") else None
