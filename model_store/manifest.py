"""What may stand in `bundle.toml`, row by row; `model_store.catalog.read_manifest` reads it."""

from typing import Literal, NotRequired, TypedDict


class PortraitRow(TypedDict):
    """The face's frame: sides of what networks see and of what is made up, and where the eyes lie, as shares."""

    size_px: int
    view_px: int
    eye_middle: list[float]
    eye_distance: float


class ScheduleRow(TypedDict):
    """The noise schedule, and the walk with which the bundle protects."""

    steps: int
    beta_start: float
    beta_end: float
    return_timestep: int
    invert_points: int
    denoise_points: int
    precision: NotRequired[Literal["float32", "bfloat16"]]


class UnetRow(TypedDict):
    """A noise predictor. config: of diffusers' `UNet2DModel`."""

    file: str
    unshuffle: int
    config: dict[str, object]


class RemovalRow(TypedDict):
    """Make-up removal: a LoRA of the noise predictor if it has a `rank`, else a network; and its walk in use."""

    file: str
    rank: NotRequired[int]
    return_timestep: int
    invert_points: int
    denoise_points: int


class ClipRow(TypedDict):
    """CLIP; `made_up_prompts` and `bare_prompts` are how it is asked whether a face wears make-up."""

    file: str
    config: dict[str, object]
    vocabulary: NotRequired[list[int]]
    mean: list[float]
    std: list[float]
    made_up_prompts: NotRequired[list[str]]
    bare_prompts: NotRequired[list[str]]


class PerceptualRow(TypedDict):
    """LPIPS: the trunk's name, and whether its published linear layers are on top."""

    file: str
    trunk: str
    calibrated: bool


class ParserRow(TypedDict):
    """The face parser: "unet-parser" with its widths and whether it tells details, or "bisenet"."""

    file: str
    kind: NotRequired[str]
    widths: NotRequired[list[int]]
    details: NotRequired[bool]
    checks_faces: NotRequired[bool]


class DetectorRow(TypedDict, total=False):
    """The face detector: "opencv-haar", or "yunet" with its file."""

    kind: str
    file: str


class RecogniserRow(TypedDict):
    """A recogniser: how it is built, what it is shown, and its thresholds by false accept rate."""

    kind: str
    file: NotRequired[str]
    input_px: int
    arguments: dict[str, object]
    thresholds: dict[str, float]


class PicturesRow(TypedDict):
    """A reference's files."""

    image: str
    bare: str
    masks: dict[str, str]


class ReferenceRow(PicturesRow):
    """A make-up reference of the bundle."""

    id: str
    title: str
    description: str
    makeup: NotRequired[str]


class TargetRow(TypedDict):
    """An identity: pictures to aim at and to test with."""

    id: str
    title: str
    consent: str
    images: list[str]


class RefinementRow(TypedDict):
    """Faces are refined after their style, on recognisers that were pulled: `least` of them must be there.

    held_out: whom to hold out, the first that is there.
    """

    held_out: list[str]
    least: int


class StyleRow(TypedDict):
    """A fine-tuned style of the bundle."""

    reference: str
    target: str
    held_out: str
    surrogates: list[str]
    file: str
    mode: NotRequired[Literal["lora", "full"]]
    sha256: NotRequired[str]


class FileRow(TypedDict):
    """Whose a file is, and what its bytes must be. `original`: the published file it was made of."""

    sha256: str
    licence: str
    source: str
    original: NotRequired[str]
    original_sha256: NotRequired[str]


class Manifest(TypedDict, total=False):
    """`bundle.toml`. portraits: the seed of rendered faces to train on.  removal_unet: what removal is tuned from.

    refinement: of a bundle that has no recognisers of its own.
    """

    name: str
    grade: str
    format: int
    never_attacked: list[str]
    portrait: PortraitRow
    portraits: dict[str, int]
    schedule: ScheduleRow
    lora: dict[str, int]
    unet: UnetRow
    removal: RemovalRow
    removal_unet: UnetRow
    clip: ClipRow
    perceptual: PerceptualRow
    parser: ParserRow
    detector: DetectorRow
    recognisers: dict[str, RecogniserRow]
    references: list[ReferenceRow]
    targets: list[TargetRow]
    styles: list[StyleRow]
    refinement: RefinementRow
    files: dict[str, FileRow]


def is_of_earlier_version(manifest: Manifest) -> bool:
    """Whether it lacks what an earlier version, which it was made by, did not write or called otherwise."""
    portrait, removal = manifest.get("portrait"), manifest.get("removal")
    has_no_frame = portrait is not None and not {"eye_middle", "eye_distance"} <= portrait.keys()
    has_no_walk = removal is not None and not {"invert_points", "denoise_points"} <= removal.keys()
    return has_no_frame or has_no_walk


class JudgeRow(RecogniserRow):
    """A recogniser that a library ships, of `recognisers.toml`: its crop, what it stands for, whence its thresholds."""

    title: str
    stands_for: str
    crop: Literal["arcface", "dlib", "level"]
    files: NotRequired[list[str]]
    thresholds_from: NotRequired[str]


class JudgesManifest(TypedDict):
    """All of `recognisers.toml`; `detector` is the file of the one that gives their landmarks."""

    detector: str
    recognisers: dict[str, JudgeRow]
    files: dict[str, FileRow]
