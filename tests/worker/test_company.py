"""Jobs beside each other, suspects alone; and nobody waits for ever."""

from concurrent.futures import Future, ThreadPoolExecutor
from time import sleep

import pytest

from diffam_client.contract.job import DetectInput
from jobs.claims import Claim
from worker.company import Company
from worker.outcome import Abandoned


def claim(name: str, attempt: int = 1) -> Claim:
    return Claim(name, 1, attempt, DetectInput(width=1, height=1, bytes=1), b"")


def test_a_suspect_waits_for_who_is_at_work_and_nobody_begins_beside_it() -> None:
    company, log = Company(), list[str]()
    first, suspect, late = claim("first"), claim("suspect", 2), claim("late")

    def work_alone() -> None:
        with company.alone(suspect, Future()):
            log.append("suspect")
            assert company.is_alone([suspect])
            sleep(0.1)
            log.append("suspect ends")

    def work_late() -> None:
        with company.beside([late]):
            log.append("late")

    with ThreadPoolExecutor(2) as pool:
        with company.beside([first]):
            assert company.is_alone([first])
            alone = pool.submit(work_alone)
            sleep(0.1)
            beside = pool.submit(work_late)
            sleep(0.1)
            log.append("first ends")
        alone.result(timeout=10)
        beside.result(timeout=10)
    assert log == ["first ends", "suspect", "suspect ends", "late"]


def test_a_suspect_that_nobody_wants_gives_its_turn_up() -> None:
    company, lost = Company(), Future[None]()
    lost.set_result(None)
    with company.beside([claim("first")]):
        with pytest.raises(Abandoned), company.alone(claim("suspect", 2), lost):
            pytest.fail("it is not wanted")
        with company.beside([claim("second")]):
            assert not company.is_alone([claim("second")])
