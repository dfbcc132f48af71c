"""Runs the stages of a bundle's maker: each leaves a file, so that a stopped build goes on where it was."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import Manager, get_context
from pathlib import Path
from queue import Empty, Queue

import torch

OnBuild = Callable[[str, int, int, float], None]
"""`on_build(stage, step, steps, loss)`."""
OnStep = Callable[[int, int, float], None]
"""`on_step(step, steps, loss)` of one stage."""
Make = Callable[[str, Path, OnStep], None]
"""`make(stage, work, on_step)` leaves `stage_file(work, stage)`, complete or not at all. It travels to a process."""


def stage_file(work: Path, stage: str) -> Path:
    """What is there once a stage is finished."""
    return work / f"{stage}.safetensors"


def run_stages(stages: Sequence[str], work: Path, make: Make, on_build: OnBuild, jobs: int = 1) -> None:
    """Make the stages that left no file yet, `jobs` at a time with one thread each; raises what a stage raises."""
    missing = [stage for stage in stages if not stage_file(work, stage).is_file()]
    work.mkdir(parents=True, exist_ok=True)
    with Manager() as manager, ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        messages: Queue[tuple[str, int, int, float]] = manager.Queue()
        running = {pool.submit(_one, make, stage, work, messages) for stage in missing}
        while running:
            done, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            try:
                while True:
                    on_build(*messages.get_nowait())
            except Empty:
                pass


def _one(make: Make, stage: str, work: Path, messages: "Queue[tuple[str, int, int, float]]") -> None:
    torch.set_num_threads(1)

    def on_step(step: int, steps: int, loss: float) -> None:
        messages.put((stage, step, steps, loss))

    make(stage, work, on_step)
