"""Makes what the portrait bundle will be of: every stage leaves a file in the work folder, so a stopped build goes on.

The files of finished stages may be copied to another machine, which then goes on from them.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from diffam_core.networks.unet import EpsModel
from model_store.additions import finished
from model_store.portrait import diffusion, perception, styling
from model_store.portrait.learning import Course
from model_store.portrait.mesh import locate, read_mesh
from model_store.portrait.painted import mixtures, removing, trunk, words
from model_store.portrait.portraits import WIDE_FRAMING, WIDE_PX, Portraits, cut_portraits, eyes_in, read_portraits
from model_store.portrait.walking import StylePace, learn_change, walk_back
from model_store.training.checkpoints import save_weights
from model_store.training.stages import OnBuild, OnStep, run_stages, stage_file

SOURCES = Path(__file__).with_name("sources.toml")
"""What is fetched to learn from."""
WAVES = (
    ("portraits",),
    ("unet", "mesh"),
    ("parser", "walks", "worn"),
    ("removal", "clip", "perceptual", *styling.MAKEUPS),
)
"""Stages by what they need: those of a wave may run at the same time."""


@dataclass(frozen=True)
class PaintedCourses:
    """How what learns from painted people learns: CLIP, the perceptual trunk, and removal from so many pairs."""

    clip: Course = words.COURSE
    perceptual: Course = trunk.COURSE
    removal: StylePace = removing.PACE
    pairs: int = removing.PAIRS


@dataclass(frozen=True)
class Maker:
    """Makes one stage; it travels to the processes that stages run in.

    people: a folder that has `portraits.FOLDERS`.  detector: YuNet's file.  fetched: where the files of `SOURCES` are.
    unet, parser, painted, makeup: how long and how fast they learn.  walks: how many views styles learn from.
    """

    people: Path
    detector: Path
    fetched: Path
    unet: Course = diffusion.COURSE
    parser: Course = perception.COURSE
    makeup: StylePace = styling.PACE
    walks: int = styling.WALKS
    painted: PaintedCourses = PaintedCourses()

    def __call__(self, stage: str, work: Path, on_step: OnStep) -> None:
        """Leave the stage's file. Raises KeyError for an unknown stage, and what the stage raises."""
        path = stage_file(work, stage)
        make: dict[str, Callable[[], None]] = {
            "portraits": lambda: cut_portraits(self.people, self.detector, path, on_step),
            "unet": lambda: _make_unet(work, path, on_step, self.unet),
            "mesh": lambda: _make_mesh(work, self.fetched, path, on_step),
            "parser": lambda: _make_parser(work, path, on_step, self.parser),
            "walks": lambda: _make_walks(work, path, on_step, self.walks),
            "worn": lambda: mixtures.save_worn(mixtures.paint_mixtures(*_people(work), on_step), path),
            "removal": lambda: _make_removal(work, path, on_step, self.painted),
            "clip": lambda: _make_clip(work, path, on_step, self.painted),
            "perceptual": lambda: _make_perceptual(work, path, on_step, self.painted),
        }
        make |= {name: lambda: _make_makeup(work, stage, on_step, self.makeup) for name in styling.MAKEUPS}
        make[stage]()


def _make_unet(work: Path, path: Path, on_step: OnStep, course: Course) -> None:
    portraits = read_portraits(stage_file(work, "portraits"))
    network = diffusion.train_unet(portraits, work / "checkpoints" / "unet", on_step, course)
    save_weights(network.state_dict(), path)
    _note(diffusion.measure_unet(network, portraits), path)


def _make_mesh(work: Path, fetched: Path, path: Path, on_step: OnStep) -> None:
    """The points of every face, in the pixels of its wide picture: float32 `(n, 468, 2)`."""
    network, wide = read_mesh(fetched), read_portraits(stage_file(work, "portraits")).wide
    left, right = eyes_in(WIDE_FRAMING, WIDE_PX)
    points = []
    for step, picture in enumerate(wide, start=1):
        photo = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        points.append(torch.from_numpy(locate(network, photo, left, right)).float())
        on_step(step, len(wide), 0.0)
    with finished(path) as partial:
        save_file({"points": torch.stack(points)}, partial)


def _make_parser(work: Path, path: Path, on_step: OnStep, course: Course) -> None:
    portraits = read_portraits(stage_file(work, "portraits"))
    points = load_file(stage_file(work, "mesh"))["points"]
    taught = perception.lessons(portraits, points, portraits.rows(held_out=False))
    network = perception.train_parser(taught, work / "checkpoints" / "parser", on_step, course)
    save_weights(network.state_dict(), path)
    _note(perception.measure_parser(network, portraits, points), path)


def _make_walks(work: Path, path: Path, on_step: OnStep, count: int) -> None:
    portraits = read_portraits(stage_file(work, "portraits"))
    walks = styling.walk(_read_unet(work), portraits, count, on_step)
    with finished(path) as partial:
        save_file(walks.tensors(), partial)


def _make_makeup(work: Path, stage: str, on_step: OnStep, pace: StylePace) -> None:
    (portraits, points), walks = _people(work), styling.read_walks(stage_file(work, "walks"))
    wanted = styling.changes(portraits, points, walks, styling.MAKEUPS[stage])
    checkpoints = work / "checkpoints" / stage
    style = learn_change((_read_unet(work), styling.RANK), walks.walked, wanted, checkpoints, on_step, pace)
    save_weights(style, stage_file(work, stage))
    shutil.rmtree(checkpoints, ignore_errors=True)


def _read_unet(work: Path) -> EpsModel:
    network = diffusion.build_unet()
    network.load_state_dict({key: value.float() for key, value in load_file(stage_file(work, "unet")).items()})
    return network.eval().requires_grad_(False)


def _people(work: Path) -> tuple[Portraits, Tensor]:
    """Everybody, and the points of their faces."""
    return read_portraits(stage_file(work, "portraits")), load_file(stage_file(work, "mesh"))["points"]


def _make_clip(work: Path, path: Path, on_step: OnStep, courses: PaintedCourses) -> None:
    worn = mixtures.read_worn(stage_file(work, "worn"))
    network = words.train_words(worn, work / "checkpoints" / "clip", on_step, courses.clip)
    save_weights(network.state_dict(), path)
    _note(words.measure_words(network, worn), path)


def _make_perceptual(work: Path, path: Path, on_step: OnStep, courses: PaintedCourses) -> None:
    worn, (_, points) = mixtures.read_worn(stage_file(work, "worn")), _people(work)
    lpips = trunk.train_trunk(worn, points, work / "checkpoints" / "perceptual", on_step, courses.perceptual)
    save_weights(lpips.state_dict(), path)
    _note(trunk.measure_trunk(lpips, worn), path)


def _make_removal(work: Path, path: Path, on_step: OnStep, courses: PaintedCourses) -> None:
    painted, bare = removing.pair_up(mixtures.read_worn(stage_file(work, "worn")), courses.pairs)
    walked, checkpoints = walk_back(_read_unet(work), painted, on_step), work / "checkpoints" / "removal"
    network = _read_unet(work), removing.RANK
    style = learn_change(network, walked, bare - painted, checkpoints, on_step, courses.removal)
    save_weights(style, path)
    shutil.rmtree(checkpoints, ignore_errors=True)
    _note(removing.measure_removal(_read_unet(work), style, *_people(work)), path)


def _note(figures: object, path: Path) -> None:
    """Write what was measured beside a stage's file."""
    with finished(path.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def build_portrait(maker: Maker, work: Path, on_build: OnBuild, jobs: int = 1) -> None:
    """Make the stages that left no file yet in `work`; raises what they raise."""
    for stages in WAVES:
        run_stages(stages, work, maker, on_build, jobs)
