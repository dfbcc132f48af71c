"""The job ledger: every change of a job's state is one Lua script in Redis, so it happens wholly or not at all.

accept → claim → heartbeat, progress → commit | fail; `reap` brings back what a dead worker held. The clock is Redis's.
A claim's `token` fences: whoever holds an older one can change nothing any more.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, cast

from redis import Redis
from redis.exceptions import RedisError

from diffam_client.contract.job import (
    INPUT,
    CanceledBy,
    DetectInput,
    Event,
    Job,
    JobError,
    Kind,
    Output,
    StyleInput,
    Timings,
)
from diffam_client.contract.report import Progress
from jobs.claims import Claim, Reaped
from jobs.endings import BY_OPERATOR, CANCELED, NOT_BEGUN, NOT_OVER, PHOTO_EXPIRED, QUEUE_TIMEOUT, WORKER_LOST
from jobs.errors import BeingRead, NotRetryable, StoreFull, UnknownJob
from jobs.finished import Protected, candidate_of
from jobs.lua.scripts import Blob, key, load_scripts, needing_room
from jobs.new_job import DIFFERS, UNKNOWN, Accepted, NewJob, Once, accepted
from jobs.reading.history import changed, events_after
from jobs.reading.listing import Wanted, list_jobs
from jobs.reading.record import read_job
from jobs.settings import Settings

PICTURES: tuple[Literal["result", "comparison", "undo"], ...] = ("result", "comparison", "undo")

STAGED_S = 30  # life of a blob that no script has taken into the ledger yet
ONCE_S = 24 * 3600  # how long a request that may come again is known, at least
READING_S = 5  # life of a reservation that nobody renews
REAP_LIMIT = 200  # jobs per kind and sweep: a script must not hold Redis for long


class Ledger:
    """The jobs in one Redis. Thread-safe; every call blocks, for the client's socket timeout at most.

    Any call may raise `redis.exceptions.RedisError` when Redis cannot be reached.
    """

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._ends = (settings.result_ttl_s, settings.tombstone_ttl_s, settings.retry_ttl_s)
        self._live_s = settings.queue_timeout_s + settings.result_ttl_s  # the longest a job can matter, workers or none
        self._once_s = max(ONCE_S, settings.queue_timeout_s + settings.max_result_ttl_s + settings.tombstone_ttl_s)
        self._scripts = load_scripts(redis)

    def accept(
        self, new: NewJob, photo: bytes | memoryview | None = None, twin: bytes | memoryview | None = None
    ) -> Accepted:
        """Write a new job down, or find the one that the same request made before. Ring only afterwards.

        photo: canonical PNG, if the job has any.  twin: the bare twin of a reference.
        Raises QueueFull, TooManyJobs, EndpointDisabled, StoreFull, JobExists, KeyReused, ErasedJob.
        """
        limits, staged_as, terms = self._settings, secrets.token_hex(16), new.terms
        deadlines = ["" if within_s is None else within_s for within_s in (terms.start_within_s, terms.end_within_s)]
        record: dict[str, str | int] = {
            "input": new.input.model_dump_json(), "bundle": new.bundle.model_dump_json(), "kind": new.kind,
            "max_attempts": limits.max_attempts,
        }  # fmt: skip
        ours = {"owner": new.owner, "traceparent": new.traceparent}
        record |= terms.noted() | {name: value for name, value in ours.items() if value}
        pictures: tuple[tuple[Blob, bytes | memoryview | None], ...] = (("photo", photo), ("twin", twin))
        staged = {key(blob, staged_as): data for blob, data in pictures if data is not None}
        once = new.once or Once("")
        try:
            with needing_room():
                for name, data in staged.items():
                    self._redis.set(name, data, ex=STAGED_S)
                answer, job_id = self._run(
                    "accept",
                    *(new.job_id, limits.max_queued, limits.ring_again_s, self._live_s, staged_as),
                    *(once.name, once.payload, self._once_s, *deadlines, new.owner, new.most_at_once or ""),
                    *(part for field in record.items() for part in field),
                )
        except (StoreFull, RedisError):
            with suppress(RedisError):
                self._run("forget", *staged)
            raise
        return accepted(once, answer, job_id)

    def retry(self, job_id: str, most_at_once: int | None = None, traceparent: str = "") -> Accepted:
        """A new job of the same wish and photo, for one that failed or was canceled; asked again, the same new one.

        Ring only afterwards. Raises UnknownJob, ErasedJob, NotRetryable, QueueFull, TooManyJobs, StoreFull.
        """
        once, limits = Once.by_retry(job_id), self._settings
        with needing_room():
            answer, made = self._run(
                "retry",
                *(job_id, secrets.token_hex(16), limits.max_queued, limits.ring_again_s, self._live_s),
                *(once.name, self._once_s, most_at_once or "", traceparent),
            )
        if answer == UNKNOWN:
            raise UnknownJob(job_id)
        if answer == DIFFERS:
            raise NotRetryable("it waits, runs or succeeded, has failed for good, or its photo is no longer there")
        return accepted(once, answer, made)

    def made_before(self, once: Once) -> str | None:
        """The job that the same request made before, if it came before. Raises JobExists, KeyReused, ErasedJob."""
        answer, job_id = self._run("before", once.name, once.payload)
        return accepted(once, answer, job_id).job_id if answer else None

    def reserve(self, once: Once, reader: str) -> None:
        """Keep others from reading the same request meanwhile, for READING_S. Raises BeingRead, StoreFull."""
        with needing_room():
            if not self._run("reserve", once.name, reader, READING_S):
                raise BeingRead("the same request is being read at this moment; come back for its job")

    def give_back(self, once: Once, reader: str) -> None:
        """Whoever comes next may read it."""
        self._run("reserve", once.name, reader, 0)

    def claim(self, job_id: str, worker: str = "") -> Claim | None:
        """Take a waiting job, or one whose lease ran out. None: nothing to do, drop the message."""
        claimed = self._run("claim", job_id, self._settings.lease_s, NOT_BEGUN.model_dump_json(), *self._ends, worker)
        if not claimed:
            return None
        token, attempt, asked, traceparent = claimed
        photo = self.blob("photo", job_id)
        claim = Claim(job_id, int(token), int(attempt), INPUT.validate_json(asked), photo or b"", traceparent.decode())
        if photo is None and not isinstance(claim.input, StyleInput):
            self.fail(claim, PHOTO_EXPIRED)
            return None
        return claim

    def extend(self, claims: Sequence[Claim]) -> frozenset[Claim]:
        """`heartbeat` of a worker that takes no photos, so that it does not count as ready for them."""
        return self.heartbeat("", claims)

    def heartbeat(self, worker: str, claims: Sequence[Claim], about: str = "") -> frozenset[Claim]:
        """Show that `worker` lives and extend its leases; returns what it no longer owns. A swept lease stays swept.

        about: what it says of itself, a WorkerFacts as JSON.
        """
        lost = self._run("heartbeat", worker, about, self._settings.lease_s, *_pairs(claims))
        return frozenset(claims[index] for index in lost)

    def release(self, claims: Iterable[Claim]) -> None:
        """Give jobs back before their leases run out; a sweep puts them into the queue."""
        self._run("release", *_pairs(claims))

    def retire(self, worker: str) -> None:
        """The worker leaves: it no longer counts as ready."""
        self._redis.zrem("diffam:workers", worker)
        self._redis.hdel("diffam:crew", worker)

    def progress(self, claim: Claim, progress: Progress, *, at_risk: bool = True) -> bool:
        """Note how far the work is. False: the claim is no longer current, stop working.

        at_risk: whether it is worked on now; should the worker end while it only waits, the attempt does not count.
        """
        return bool(self._run("progress", claim.job_id, claim.token, progress.model_dump_json(), int(at_risk)))

    def keep_sheet(self, claim: Claim, step: int, picture: bytes) -> None:
        """Let an operator see how a style in training looks after that step, while it is trained. picture: JPEG.

        It says of nobody whether the claim is current. Raises RedisError also where there is no room.
        """
        self._run("sheet", claim.job_id, claim.token, step, picture)

    def commit(self, claim: Claim, protected: Protected, batch_size: int) -> bool:
        """End the job as `succeeded` and delete its input. False: the claim is stale, the result was dropped."""
        for number, picture in enumerate(protected.candidates):
            for kind, blob in zip(PICTURES, (picture.photo, picture.comparison, picture.undo), strict=True):
                if blob is not None:
                    self._run("stage", key(kind, f"{claim.job_id}:{claim.token}", number), blob, STAGED_S)
        pictures = [candidate_of(picture) for picture in protected.candidates]
        chosen = pictures[0]
        output = Output(photo=chosen.photo, faces=chosen.faces, candidates=pictures if len(pictures) > 1 else [])
        timings = Timings(batch_size=batch_size, stages_s=dict(protected.seconds))
        documents = (output.model_dump_json(), timings.model_dump_json())
        return bool(self._run("commit", claim.job_id, claim.token, *documents, *self._ends))

    def finish(self, claim: Claim, output: Output) -> bool:
        """End a job that has no picture to show as `succeeded`. False: the claim is stale."""
        documents = (output.model_dump_json(), Timings().model_dump_json(exclude_none=True))
        return bool(self._run("commit", claim.job_id, claim.token, *documents, *self._ends))

    def cancel(self, job_id: str, by: CanceledBy = "user") -> bool:
        """End a job as `canceled`; work on it stops at its next step. False: it was over. Raises UnknownJob.

        Its input is deleted if its user wants that; else it waits for a retry.
        """
        ttl_s, tombstone_s, retry_s = self._ends
        ends = (ttl_s, tombstone_s, 0 if by == "user" else retry_s)
        why = BY_OPERATOR if by == "operator" else CANCELED
        answer = int(self._run("cancel", job_id, by, why.model_dump_json(), *ends))
        if answer < 0:
            raise UnknownJob(job_id)
        return answer == 1

    def cancel_late(self) -> Sequence[str]:
        """Cancel whatever is past a deadline of its own; their ids. Safe to call from everywhere at any time."""
        why = (NOT_BEGUN.model_dump_json(), NOT_OVER.model_dump_json())
        return [job_id.decode() for job_id in self._run("deadlines", REAP_LIMIT, *why, *self._ends)]

    def is_waiting(self, job_id: str) -> bool:
        """Whether the job is queued; one whose lease ran out is not, until a sweep has put it back."""
        return self._redis.zscore("diffam:queued", job_id) is not None

    def references_in_use(self) -> frozenset[str]:
        """The references that jobs which wait or run are about."""
        pipeline = self._redis.pipeline(transaction=True)
        for zset in ("queued", "leases"):  # at one moment: a sweep moves jobs from one to the other
            pipeline.zrange(f"diffam:{zset}", 0, -1)
        alive = [job_id.decode() for job_ids in pipeline.execute() for job_id in job_ids]
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in alive:
            pipeline.hget(key("job", job_id), "input")
        inputs = (INPUT.validate_json(each) for each in pipeline.execute() if each)
        return frozenset(each.reference_id for each in inputs if not isinstance(each, DetectInput))

    def kind(self, job_id: str) -> Kind:
        """What kind of job it is; a forgotten one counts as `protect`."""
        kind = cast("bytes | None", self._redis.hget(key("job", job_id), "kind"))  # the client never decodes
        return cast("Kind", kind.decode()) if kind else "protect"

    def fail(self, claim: Claim, error: JobError) -> bool:
        """End the job as `failed`, for good, and delete its input. False: the claim is stale."""
        return bool(self._run("fail", claim.job_id, claim.token, error.model_dump_json(), *self._ends))

    def reap(self) -> Reaped:
        """Requeue or give up what dead workers held, time out what waits too long, find late bells.

        Safe to call from everywhere at any time: only one sweep runs per `reap_every_s`, the others do nothing.
        """
        limits = self._settings
        swept = self._run(
            "reap",
            *(int(limits.reap_every_s * 1000), REAP_LIMIT, limits.ring_again_s, limits.queue_timeout_s, *self._ends),
            *(WORKER_LOST.model_dump_json(), QUEUE_TIMEOUT.model_dump_json()),
        )
        return Reaped(*(tuple(job_id.decode() for job_id in ids) for ids in swept or ()))

    def get(self, job_id: str) -> Job:
        """The job as it stands. Raises UnknownJob, ErasedJob."""
        return read_job(self._scripts["read"], job_id)

    def owner(self, job_id: str) -> str | None:
        """Whose the job is, or was: the id of a key, "" where it was nobody's; None: never heard of."""
        owner = cast("bytes | None", self._run("whose", job_id))
        return None if owner is None else owner.decode()

    def events(self, job_id: str, after: int = 0) -> Sequence[Event]:
        """What happened to the job after that revision: the next changes, in order. Raises UnknownJob, ErasedJob."""
        return events_after(self._redis, job_id, after)

    def changed(self, revisions: Mapping[str, int], patience_s: float) -> frozenset[str]:
        """Those of some jobs that changed after their revision, or are gone; waits `patience_s` at most for one."""
        return changed(self._redis, revisions, patience_s)

    def page(self, wanted: Wanted, before: str | None, limit: int) -> tuple[list[Job], str | None]:
        """A page of jobs, newest first, and where the next one begins, if there is one."""
        return list_jobs(self._redis, self._scripts["read"], wanted, before, limit)

    def seconds_per_job(self, kind: Kind) -> float | None:
        """Between the ends of such jobs lately, while there was work; None before the first."""
        seconds = cast("bytes | None", self._redis.hget(f"diffam:pace:{kind}", "seconds"))
        return round(float(seconds), 3) if seconds else None

    def blob(self, kind: Blob, job_id: str, candidate: int = 0) -> bytes | None:
        """The bytes of a photo, result, comparison or undo file; None when there are none (yet, or any more)."""
        return cast("bytes | None", self._redis.get(key(kind, job_id, candidate)))  # the client never decodes

    def erase(self, job_id: str) -> None:
        """Delete everything about a job now, running or not; a tombstone stays a while. Raises UnknownJob."""
        if not self._run("erase", job_id, self._settings.tombstone_ttl_s):
            raise UnknownJob(job_id)

    def warm_workers(self) -> int:
        """How many workers showed a sign of life within the last lease. Writes a probe, so a read-only Redis raises
        RedisError, one that is full StoreFull."""
        with needing_room():
            self._redis.set("diffam:probe", b"1")
        seconds, _ = self._redis.time()
        return int(self._redis.zcount("diffam:workers", seconds - self._settings.lease_s, "+inf"))

    def _run(self, name: str, *args: str | float | bytes) -> Any:
        return self._scripts[name](args=args)


def _pairs(claims: Iterable[Claim]) -> Iterator[str | int]:
    return (part for claim in claims for part in (claim.job_id, claim.token))
