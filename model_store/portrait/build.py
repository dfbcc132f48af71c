"""Makes what the portrait bundle will be of: every stage leaves a file in the work folder, so a stopped build goes on.

The files of finished stages may be copied to another machine, which then goes on from them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from model_store.additions import finished
from model_store.portrait import diffusion
from model_store.portrait.portraits import cut_portraits, read_portraits
from model_store.training.checkpoints import save_weights
from model_store.training.stages import OnBuild, OnStep, run_stages, stage_file

WAVES = (("portraits",), ("unet",))
"""Stages by what they need: those of a wave may run at the same time."""


@dataclass(frozen=True)
class Maker:
    """Makes one stage; it travels to the processes that stages run in.

    people: a folder that has `portraits.FOLDERS`.  detector: YuNet's file.
    """

    people: Path
    detector: Path

    def __call__(self, stage: str, work: Path, on_step: OnStep) -> None:
        """Leave the stage's file. Raises KeyError for an unknown stage, and what the stage raises."""
        path = stage_file(work, stage)
        if stage == "portraits":
            cut_portraits(self.people, self.detector, path, on_step)
        elif stage == "unet":
            _make_unet(work, path, on_step)
        else:
            raise KeyError(stage)


def _make_unet(work: Path, path: Path, on_step: OnStep) -> None:
    portraits = read_portraits(stage_file(work, "portraits"))
    network = diffusion.train_unet(portraits, work / "checkpoints" / "unet", on_step)
    save_weights(network.state_dict(), path)
    _note(diffusion.measure_unet(network, portraits), path)


def _note(figures: object, path: Path) -> None:
    """Write what was measured beside a stage's file."""
    with finished(path.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def build_portrait(maker: Maker, work: Path, on_build: OnBuild, jobs: int = 1) -> None:
    """Make the stages that left no file yet in `work`; raises what they raise."""
    for stages in WAVES:
        run_stages(stages, work, maker, on_build, jobs)
