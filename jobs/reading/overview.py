"""What an operator sees of the ledger: lines, workers, trainings, and how jobs ended in the last hours.

One bounded script reads it, at one moment: what it costs does not grow with the jobs that wait.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from redis import Redis

from diffam_client.contract.admin import (
    SHORT,
    Hour,
    Line,
    Loss,
    RunningJob,
    Sheet,
    Training,
    WaitingJob,
    Worker,
    WorkerFacts,
)
from diffam_client.contract.job import INPUT, Kind, Status, StyleInput
from diffam_client.contract.report import Progress
from jobs.lua.scripts import key, load_scripts
from jobs.reading.record import place_of
from jobs.settings import Settings

MOST_WAITING, MOST_RUNNING, MOST_WORKERS, MOST_POINTS = 10, 50, 100, 120
HOUR_S, HOURS = 3600, 24


def sheet_address(short_id: str) -> str:
    """Where the service answers with `Overview.sheet`."""
    return f"/v1/admin/trainings/{short_id}/sheet"


@dataclass(frozen=True)
class Ended:
    """How many jobs of a kind ended so in an hour. code, is_retryable: of the error; "" of those that succeeded."""

    hour: datetime
    kind: Kind
    status: Status
    code: str
    is_retryable: bool
    count: int


@dataclass(frozen=True)
class Seen:
    """What the ledger knows, by its own clock."""

    at: datetime
    lines: list[Line]
    workers: list[Worker]
    trainings: list[Training]
    hours: list[Hour]
    ended: list[Ended]


@dataclass(frozen=True)
class _Found:
    """A job of a line. since: when it was accepted, or taken.  heard_s: since the last sign of life of who has it."""

    id: str
    since: float
    heard_s: float
    owner: str
    worker: str
    attempt: int
    max_attempts: int
    progress: Progress | None
    input: bytes


class Overview:
    """Looks at one ledger. Thread-safe."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._read = load_scripts(redis)["overview"]
        self._lease_s = settings.lease_s

    def read(self) -> Seen:
        """What goes on now. Raises RedisError."""
        bounds = (MOST_WAITING, MOST_RUNNING, MOST_WORKERS, self._lease_s, HOURS, MOST_POINTS)
        time, lines, workers, curves, hours = self._read(args=bounds)
        now = float(time)
        waiting = {line[0].decode(): list(self._found(line[2], now)) for line in lines}
        running = {line[0].decode(): list(self._found(line[4], now)) for line in lines}
        drawn = {job_id.decode(): (told, step) for job_id, told, step in curves}
        at_work = [job for jobs in running.values() for job in jobs]
        ended = [each for hour, counts in hours for each in _ended(hour, counts)]
        return Seen(
            at=_moment(now),
            lines=[_line(line, waiting[line[0].decode()], running[line[0].decode()], now) for line in lines],
            workers=[_worker(name.decode(), now - float(at), about, at_work) for name, at, about in workers],
            trainings=[each for job in running["finetune"] for each in _training(job, *drawn[job.id])],
            hours=[_hour(_moment(HOUR_S * hour), ended) for hour, _ in hours],
            ended=ended,
        )

    def sheet(self, short_id: str) -> bytes | None:
        """How the training of that id looks, a JPEG; None: there is none (yet, or any more). Raises RedisError."""
        running = cast("list[bytes]", self._redis.zrange("diffam:running:finetune", 0, MOST_RUNNING - 1))
        for job_id in (each.decode() for each in running):
            if job_id[:SHORT] == short_id:
                return cast("bytes | None", self._redis.hget(key("sheet", job_id), "picture"))
        return None

    def _found(self, jobs: Iterable[Any], now: float) -> Iterator[_Found]:
        """Without those whose record is gone."""
        for job_id, since, lease, (owner, worker, attempt, max_attempts, progress, asked) in jobs:
            if asked is None:
                continue
            yield _Found(
                id=job_id.decode(),
                since=float(since),
                heard_s=round(max(0.0, self._lease_s - (float(lease) - now)), 1) if lease else 0.0,
                owner=(owner or b"").decode(),
                worker=(worker or b"").decode(),
                attempt=int(attempt),
                max_attempts=int(max_attempts),
                progress=Progress.model_validate_json(progress) if progress else None,
                input=asked,
            )


def _line(told: Sequence[Any], first: list[_Found], at_work: list[_Found], now: float) -> Line:
    kind, waiting, _, running, _, pace = told
    last = place_of(waiting - 1, running, pace) if waiting else None
    return Line(
        kind=kind.decode(),
        waiting=waiting,
        running=running,
        oldest_s=round(now - first[0].since, 1) if first else None,
        seconds_per_job=round(float(pace[0]), 3) if pace[0] else None,
        eta_s=last.eta_s if last else None,
        first=[
            WaitingJob(
                id=job.id[:SHORT],
                owner=job.owner,
                attempt=job.attempt,
                waited_s=round(now - job.since, 1),
                eta_s=place_of(rank, running, pace).eta_s,
            )
            for rank, job in enumerate(first)
        ],
        at_work=[_running(job, kind.decode(), now) for job in at_work],
    )


def _running(job: _Found, kind: Kind, now: float) -> RunningJob:
    return RunningJob(
        id=job.id[:SHORT],
        owner=job.owner,
        kind=kind,
        worker=job.worker,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        ran_s=round(now - job.since, 1),
        heard_s=job.heard_s,
        stage=job.progress.stage if job.progress else None,
        fraction=job.progress.fraction if job.progress else 0.0,
    )


def _worker(name: str, heard_s: float, about: bytes | None, at_work: Iterable[_Found]) -> Worker:
    return Worker(
        name=name,
        heard_s=round(max(0.0, heard_s), 1),
        facts=WorkerFacts.model_validate_json(about) if about else None,
        jobs=[job.id[:SHORT] for job in at_work if job.worker == name],
    )


def _training(job: _Found, told: Iterable[bytes], sheet_step: bytes | None) -> Iterator[Training]:
    """The job as a training, if it is one: a new reference is made by such jobs, too."""
    wish = INPUT.validate_json(job.input)
    if isinstance(wish, StyleInput):
        yield Training(
            id=job.id[:SHORT],
            reference_id=wish.reference_id,
            target_id=wish.target_id,
            held_out=wish.held_out,
            heard_s=job.heard_s,
            progress=job.progress,
            sheet=Sheet(url=sheet_address(job.id[:SHORT]), step=int(sheet_step)) if sheet_step else None,
            curve=_curve(Progress.model_validate_json(each) for each in told),
        )


def _curve(told: Iterable[Progress]) -> list[Loss]:
    """Of several attempts the last one counts from where it went on: a checkpoint, some steps before the end."""
    curve: list[Loss] = []
    for progress in told:
        if progress.losses:
            curve = [point for point in curve if point.step < progress.step]
            curve.append(Loss(step=progress.step, terms=progress.losses))
    return curve


def _ended(hour: int, counts: Sequence[bytes]) -> Iterator[Ended]:
    """As `count` of lua/prelude.lua wrote it."""
    for field, count in zip(counts[::2], counts[1::2], strict=True):
        kind, status, code, retryable = [*field.decode().split(" "), "", ""][:4]
        how = (kind, status, code, retryable == "1", int(count))
        yield Ended(_moment(HOUR_S * hour), *how)  # type: ignore[arg-type]  # our own words


def _hour(at: datetime, ended: Iterable[Ended]) -> Hour:
    sums = {"succeeded": 0, "failed": 0, "canceled": 0}
    for each in ended:
        if each.hour == at:
            sums[each.status] += each.count
    return Hour(at=at, **sums)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
