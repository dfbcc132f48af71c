"""What the published bundle is: its files, the networks behind them, the schedule, thresholds and sizes."""

from collections.abc import Collection

from model_store.manifest import Manifest, PortraitRow, RecogniserRow, ScheduleRow

NAME = "celebahq-256"
GRADE = "production"
PORTRAIT: PortraitRow = {"size_px": 256, "view_px": 256, "eye_middle": [0.5, 0.47], "eye_distance": 0.25}
"""CelebA-HQ's own framing: its alignment leaves more room around the face than the miniature's."""

SCHEDULE: ScheduleRow = {
    "steps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "return_timestep": 60,
    "invert_points": 6,
    "denoise_points": 6,
    "precision": "bfloat16",
}
"""The paper inverts in 20 points; 6 are what this project measured to be enough."""
LORA = {"rank": 8}

UNET: dict[str, object] = {
    "sample_size": 256,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 2,
    "block_out_channels": [128, 128, 256, 256, 512, 512],
    "down_block_types": ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4,
    "attention_head_dim": 512,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
}
"""CelebA-HQ's DDPM (Ho et al. 2020); attention has a single head of all channels."""

REMOVAL_UNET: dict[str, object] = {
    "sample_size": 256,
    "in_channels": 3,
    "out_channels": 6,
    "layers_per_block": 1,
    "block_out_channels": [128, 128, 256, 256, 512, 512],
    "down_block_types": ["ResnetDownsampleBlock2D"] * 4 + ["AttnDownBlock2D", "ResnetDownsampleBlock2D"],
    "up_block_types": ["ResnetUpsampleBlock2D", "AttnUpBlock2D"] + ["ResnetUpsampleBlock2D"] * 4,
    "downsample_type": "resnet",
    "upsample_type": "resnet",
    "attention_head_dim": 64,
    "attn_norm_num_groups": 32,
    "resnet_time_scale_shift": "scale_shift",
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "norm_eps": 1e-5,
}
"""The improved DDPM (Nichol & Dhariwal 2021) for make-up removal; learns sigma, so half its channels are no noise."""


def _clip(patch_px: int) -> dict[str, object]:
    return {
        "embed_dim": 512,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "patch_size": patch_px, "width": 768, "layers": 12},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
    }


def _said(phrase: str) -> list[str]:
    return [phrase, *(f"a {picture} of a {phrase}" for picture in ("photo", "portrait", "picture"))]


CLIP = {"clip_vit_b16": _clip(16), "clip_vit_b32": _clip(32)}
"""OpenAI's two; both are known, so that a folder with the other one is no riddle."""
TOWER = "clip_vit_b16"
"""The paper's, and the bundle's."""
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]

_IR: dict[str, object] = {
    "widths": [64, 128, 256, 512],
    "stem_stride": 1,
    "embedding_dim": 512,
    "side": 7,
    "dropout": 0.4,
}
IR152 = _IR | {"depths": [3, 8, 36, 3], "squeeze": False}
IRSE50 = _IR | {"depths": [3, 4, 14, 3], "squeeze": True, "reduction": 16, "squeeze_bias": False}


def _recogniser(kind: str, arguments: dict[str, object], input_px: int, *thresholds: float) -> RecogniserRow:
    rates = dict(zip(("0.1", "0.01", "0.001"), thresholds, strict=True))
    return {"kind": kind, "arguments": arguments, "input_px": input_px, "thresholds": rates}


RECOGNISERS = {
    "ir152": _recogniser("ir", IR152, 112, 0.094632, 0.166788, 0.227922),
    "irse50": _recogniser("ir", IRSE50, 112, 0.144840, 0.241045, 0.312703),
    "facenet": _recogniser("inception-resnet-v1", {}, 160, 0.256587, 0.409131, 0.591191),
    "mobile_face": _recogniser("mobile-face", {}, 112, 0.183635, 0.301611, 0.380878),
}
"""The paper's four, with its thresholds (cosine) at each false accept rate."""
NEVER_ATTACKED: list[str] = []
"""None was published: CLIP's image tower recognises no faces."""

UNET_FILE, REMOVAL_UNET_FILE = "unet.safetensors", "removal_unet.safetensors"
PERCEPTUAL_FILE, PARSER_FILE = "perceptual.safetensors", "parser.safetensors"
IDENTITY_NAME, IDENTITY_SHA256 = (
    "model_ir_se50.pth", "a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28"
)  # fmt: skip
"""Of irse50's layout and the identity term of the authors' remover. Nothing here reads it, nor CLIP ViT-B/32."""
DETECTOR_FILE = "detector.onnx"

FILES = {
    "celeba_hq_ddpm": UNET_FILE,
    "celeba_hq_diffusers": UNET_FILE,
    "celeba_hq_diffusers_old": UNET_FILE,
    "makeup_improved_ddpm": REMOVAL_UNET_FILE,
    "alexnet": PERCEPTUAL_FILE,
    "bisenet": PARSER_FILE,
} | {name: f"{name}.safetensors" for name in (TOWER, *RECOGNISERS)}
"""The bundle's file for each layout of `model_store.published.layouts` that it uses."""


NEEDED = ("unet", TOWER, "perceptual", "parser")
LEAST_RECOGNISERS = 2
"""One to attack, one to hold out."""


def missing_parts(present: Collection[str]) -> list[str]:
    """The parts, by the stem of their file, without which nothing can be trained or protected."""
    missing = [part for part in NEEDED if f"{part}.safetensors" not in present]
    absent = [name for name in RECOGNISERS if FILES[name] not in present]
    return missing + absent[: max(0, LEAST_RECOGNISERS - (len(RECOGNISERS) - len(absent)))]


def network_rows(present: Collection[str]) -> Manifest:
    """The networks' part of `bundle.toml`, for the bundle's files at hand, by name.

    Raises ValueError when one of `missing_parts` is.
    """
    if missing := missing_parts(present):
        raise ValueError(f"the bundle needs {', '.join(missing)}")
    recognisers = {name: row | {"file": FILES[name]} for name, row in RECOGNISERS.items() if FILES[name] in present}
    rows: Manifest = {
        "never_attacked": NEVER_ATTACKED,
        "portrait": PORTRAIT,
        "schedule": SCHEDULE,
        "lora": LORA,
        "unet": {"file": UNET_FILE, "unshuffle": 1, "config": UNET},
        "clip": {
            "file": FILES[TOWER],
            "mean": CLIP_MEAN,
            "std": CLIP_STD,
            "config": CLIP[TOWER],
            "made_up_prompts": _said("face with makeup"),
            "bare_prompts": _said("face without makeup"),
        },
        "perceptual": {"file": PERCEPTUAL_FILE, "trunk": "alex", "calibrated": True},
        "parser": {"kind": "bisenet", "file": PARSER_FILE},
        "detector": {"kind": "yunet", "file": DETECTOR_FILE} if DETECTOR_FILE in present else {"kind": "opencv-haar"},
        "recognisers": recognisers,
    }
    if REMOVAL_UNET_FILE in present:
        rows["removal_unet"] = {"file": REMOVAL_UNET_FILE, "unshuffle": 1, "config": REMOVAL_UNET}
    return rows
