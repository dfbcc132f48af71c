"""Recipes in TOML: how a style or make-up removal is trained. Read strictly: a key or a type nobody knows is an error.

`paper` ships with the project: the numbers of the paper and of its released code, each explained where it stands.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import Annotated, Literal

from open_clip import OPENAI_IMAGENET_TEMPLATES
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from diffam_core.losses import REGION_WEIGHTS, RemovalWeights, Weights
from diffam_core.models import Process
from diffam_core.removal import RemovalObjective, RemovalRecipe
from diffam_core.transfer import Mode, Objective, StageRecipe, TransferRecipe
from diffam_core.tuning import Epoch
from model_store.errors import RecipeInvalid

RECIPES = Path(__file__).parent / "recipes"
"""Where the recipes that ship with the project lie."""
Dataset = Literal["celebahq", "mt", "ladn"]


def _only(known: Mapping[str, float]) -> Callable[[dict[str, float]], dict[str, float]]:
    """A check that names are among the `known`; what is not named becomes 0."""

    def check(given: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(given) - set(known)):
            raise ValueError(f"nobody knows {', '.join(unknown)}; there are: {', '.join(known)}")
        if negative := [name for name, value in given.items() if value < 0]:
            raise ValueError(f"less than 0: {', '.join(negative)}")
        return {name: given.get(name, 0.0) for name in known}

    return check


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StageTable(_Table):
    """One stage of transfer. A loss term without a weight counts nothing; the rest is as in `StageRecipe`."""

    epochs: PositiveInt
    learning_rate: PositiveFloat
    growth_per_epoch: PositiveFloat = 1.0
    batch: PositiveInt = 4
    views: Annotated[int, Field(ge=0)] = StageRecipe.views
    precision: Literal["float32", "bfloat16"] = "float32"
    has_gradient_checkpoints: bool = False
    weights: Annotated[dict[str, float], AfterValidator(_only(asdict(Weights())))]
    regions: Annotated[dict[str, float], AfterValidator(_only(REGION_WEIGHTS))] = REGION_WEIGHTS

    def stage(self, portraits: int) -> StageRecipe:
        """The stage on that many portraits."""
        epoch = Epoch(ceil(portraits / self.batch), self.growth_per_epoch)
        return StageRecipe(
            steps=self.epochs * epoch.steps,
            weights=Weights(**self.weights),
            learning_rate=self.learning_rate,
            batch=self.batch,
            views=self.views,
            precision=self.precision,
            has_gradient_checkpoints=self.has_gradient_checkpoints,
            epoch=epoch,
            regions=self.regions,
        )


class TransferTable(_Table):
    """A style: what for, on whom, by which walk, in which two stages."""

    reference: str
    target: str
    held_out: str
    surrogates: list[str] = []
    mode: Mode = "lora"
    objective: Objective = "both"
    dataset: Dataset | None = None
    portraits: Annotated[int, Field(ge=1)]
    return_timestep: PositiveInt
    invert_points: Annotated[int, Field(ge=2)]
    denoise_points: Annotated[int, Field(ge=2)]
    makeup: StageTable
    attack: StageTable

    def recipe(self, portraits: int | None = None) -> TransferRecipe:
        """Both stages on that many portraits; None are as many as the recipe says."""
        count = portraits or self.portraits
        return TransferRecipe(
            makeup=self.makeup.stage(count),
            attack=self.attack.stage(count),
            mode=self.mode,
            return_timestep=self.return_timestep,
            invert_points=self.invert_points,
            denoise_points=self.denoise_points,
        )


class RemovalTable(_Table):
    """Make-up removal. `training_points` are walked back in training, `denoise_points` in use.

    rank: of LoRA.  identity: the recogniser of the identity term.
    """

    objective: RemovalObjective
    dataset: Dataset | None = None
    portraits: PositiveInt
    mode: Mode = "lora"
    rank: PositiveInt = 16
    identity: str = "irse50"
    return_timestep: PositiveInt
    invert_points: Annotated[int, Field(ge=2)]
    training_points: Annotated[int, Field(ge=2)]
    denoise_points: Annotated[int, Field(ge=2)]
    epochs: PositiveInt
    learning_rate: PositiveFloat
    growth_per_epoch: PositiveFloat = 1.0
    batch: PositiveInt = 4
    bare_batch: Annotated[int, Field(ge=0)] = 0
    weights: Annotated[dict[str, float], AfterValidator(_only(asdict(RemovalWeights())))]
    made_up: str = "face with makeup"
    bare: str = "face without makeup"
    templates: Literal["none", "imagenet"] = "none"

    def recipe(self, portraits: int | None = None) -> RemovalRecipe:
        """The recipe on that many portraits; None are as many as the file says."""
        epoch = Epoch(ceil((portraits or self.portraits) / self.batch), self.growth_per_epoch)
        return RemovalRecipe(
            objective=self.objective,
            steps=self.epochs * epoch.steps,
            learning_rate=self.learning_rate,
            batch=self.batch,
            bare_batch=self.bare_batch,
            weights=RemovalWeights(**self.weights),
            made_up_prompts=self._said(self.made_up),
            bare_prompts=self._said(self.bare),
            epoch=epoch,
        )

    def walks(self, process: Process) -> tuple[Process, Process]:
        """How removal walks in training and in use, with the noise schedule of `process`."""
        training = Process(process.alpha_bar, self.return_timestep, self.invert_points, self.training_points)
        return training, replace(training, denoise_points=self.denoise_points)

    def _said(self, phrase: str) -> tuple[str, ...]:
        if self.templates == "none":
            return (phrase,)
        return tuple(template(phrase) for template in OPENAI_IMAGENET_TEMPLATES)


class TargetTable(_Table):
    """An identity of the paper: a picture to aim at and another to test with, in the published `assets.zip`."""

    id: str
    aim: str
    test: str


class Recipe(_Table):
    """A recipe file."""

    title: str
    transfer: TransferTable | None = None
    removal: RemovalTable | None = None
    targets: list[TargetTable] = []


def read_recipe(name: str) -> Recipe:
    """A recipe that ships with the project, by its name, or any other by its path. Raises RecipeInvalid."""
    shipped = RECIPES / f"{name}.toml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise RecipeInvalid(f"no recipe {name!r}: no such file; shipped are: {known}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeInvalid(f"the recipe {path.name} is no TOML file: {error}") from error
    except ValidationError as error:
        raise RecipeInvalid(f"the recipe {path.name}: {'; '.join(_complaints(error))}") from error


def _complaints(error: ValidationError) -> list[str]:
    """A phrase for each, beginning with the key it is about."""
    said = {"extra_forbidden": "nobody knows this key", "missing": "is missing"}
    return [
        f"{'.'.join(map(str, row['loc']))}: {said.get(row['type'], row['msg'])}"
        + ("" if row["type"] in said else f" (it is {row['input']!r})")
        for row in error.errors()
    ]
