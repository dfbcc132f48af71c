"""Trains CLIP of the portrait bundle: make-up in words, learned from painted portraits and their bare twins."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.clip import Clip
from model_store.manifest import ClipRow
from model_store.portrait.learning import Course, learn
from model_store.portrait.painted.mixtures import PALETTES, Worn
from model_store.portrait.portraits import FOLDERS, middle
from model_store.portrait.views import lit, places, taken
from model_store.rendered.captions import TEMPLATES, Judge, prompts, wears, wears_colour, within, without
from model_store.rendered.portraits import to_float
from model_store.training.small_clip import CLIP_MEAN, CLIP_STD, build_clip, clip_config, vocabulary_of
from model_store.training.stages import OnStep

VISION: dict[str, object] = {"image_size": 128, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64}
"""open_clip's residual network: from so few people a transformer of its size learned nothing in as many steps."""
COURSE, BATCH, ASKED = Course(steps=1500, learning_rate=1.5e-3, seed=19, weight_decay=0.02, decay=0.99), 32, 48
"""ASKED: captions a step."""
BARE = 0.35
"""How many pictures of a batch are bare."""
SCALE, BIAS = 2.3, -2.0
"""Of cosines, as a logarithm, and beside them, before training."""
MADE_UP, PLAIN = "face with makeup", "face without makeup"


def _any_of(*judges: Judge) -> Judge:
    return lambda makeup: torch.stack([judge(makeup) for judge in judges]).any(dim=0)


def _phrases() -> dict[str, Judge]:
    made_up = _any_of(wears("lips"), wears("shadow"), wears("liner"), wears("blush"))
    eyes = _any_of(wears("shadow"), wears("liner"))
    phrases: dict[str, Judge] = {
        MADE_UP: made_up,
        PLAIN: without(made_up),
        "face with lipstick": wears("lips"),
        "face with strong lipstick": within("lips_strength", 0.7, 2.0),
        "face with bare lips": without(wears("lips")),
        "face with eyeshadow": wears("shadow"),
        "face with strong eyeshadow": within("shadow_strength", 0.55, 2.0),
        "face with eyeliner": wears("liner"),
        "face with bare eyes": without(eyes),
        "face with blush": wears("blush"),
    }
    for part, noun in (("lips", "lipstick"), ("shadow", "eyeshadow"), ("blush", "blush")):
        for index, colour in enumerate(PALETTES[part]):
            phrases[f"face with {colour} {noun}"] = wears_colour(part, index)
    return phrases


PHRASES = _phrases()
BANK: dict[str, Judge] = {template.format(phrase): judge for phrase, judge in PHRASES.items() for template in TEMPLATES}


class Captioner(nn.Module):
    """CLIP with what turns its cosines into logits; the two numbers are not kept."""

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self.clip = clip
        self.scale = nn.Parameter(torch.tensor(SCALE))
        self.bias = nn.Parameter(torch.tensor(BIAS))

    def forward(self, portraits: Tensor, captions: list[str]) -> Tensor:
        """Logits `(portraits, captions)` of each being true of each."""
        cosines = self.clip.embed_images(portraits) @ self.clip.embed_texts(captions).T
        return cosines * self.scale.exp() + self.bias


def build_words() -> Clip:
    """The untrained CLIP, initialised by the course's seed."""
    return build_clip(BANK, VISION, COURSE.seed)


def train_words(worn: Worn, checkpoints: Path, on_step: OnStep, course: Course = COURSE) -> Clip:
    """SigLIP's loss with several positives: each caption is true or false of each random view of the training side.

    Zhai et al., Sigmoid Loss for Language Image Pre-Training (2023). Returns the averaged weights.
    """
    side = worn.side(held_out=False)
    people, versions = side.pictures.shape[:2]
    pictures, makeup = side.flat()
    truth = torch.stack([judge(makeup) for judge in BANK.values()], dim=1).float()
    captions = list(BANK)

    def loss(network: nn.Module, generator: torch.Generator) -> Tensor:
        painted = torch.randint(1, versions, (BATCH,), generator=generator)
        is_bare = torch.rand(BATCH, generator=generator) < BARE
        who = torch.randint(people, (BATCH,), generator=generator)
        rows = who * versions + torch.where(is_bare, 0, painted)
        asked = torch.randperm(len(captions), generator=generator)[:ASKED]
        x = lit(taken(to_float(pictures[rows]), places(BATCH, generator)), generator)
        logits = network(x, [captions[at] for at in asked])
        return functional.binary_cross_entropy_with_logits(logits, truth[rows][:, asked])

    trained = learn(Captioner(build_words()), course, loss, checkpoints, on_step)
    if not isinstance(trained, Captioner):
        raise TypeError("the average of a captioner is one")
    return trained.clip


@torch.no_grad()
def measure_words(clip: Clip, worn: Worn) -> dict[str, dict[str, float]]:
    """Per folder of held-out people: how often phrases are right of them.

    `made_up`: of bare and painted pictures alike, which of the two phrases fits better.  `pairs`: how often the painted
    twin is the more made-up one.  `lipstick`, `eyeshadow`: which colour of the palette, where it is worn.
    """
    pole = _said(clip, MADE_UP) - _said(clip, PLAIN)
    figures: dict[str, dict[str, float]] = {}
    for folder in FOLDERS:
        side = worn.side(held_out=True, folder=folder)
        if not len(side.rows):
            continue
        bare = _seen(clip, side.flat(slice(0, 1))[0]) @ pole
        pictures, makeup = side.flat(slice(1, None))
        painted = _seen(clip, pictures)
        is_worn = PHRASES[MADE_UP](makeup)
        scores = (painted @ pole).masked_fill(~is_worn, torch.nan).view(len(bare), -1)
        right = [(bare < 0).float().mean(), (scores[~scores.isnan()] > 0).float().mean()]
        pairs = (scores > bare[:, None])[~scores.isnan()].float().mean()
        figures[folder] = {"people": len(bare), "made_up": _rounded(sum(right) / 2), "pairs": _rounded(pairs)}
        for part, noun in (("lips", "lipstick"), ("shadow", "eyeshadow")):
            figures[folder][noun] = _coloured(clip, painted, makeup[f"{part}_name"], part, noun)
    return figures


def _coloured(clip: Clip, seen: Tensor, names: Tensor, part: str, noun: str) -> float:
    phrases = torch.stack([_said(clip, f"face with {colour} {noun}") for colour in PALETTES[part]])
    guessed = (seen @ phrases.T).argmax(dim=1)
    return _rounded((guessed == names)[names >= 0].float().mean())


def _said(clip: Clip, phrase: str) -> Tensor:
    return functional.normalize(clip.embed_texts(prompts(phrase)).mean(dim=0), dim=0)


def _seen(clip: Clip, pictures: Tensor) -> Tensor:
    return torch.cat([clip.eval().embed_images(to_float(some)) for some in middle(pictures).split(64)])


def _rounded(value: Tensor | float) -> float:
    return round(float(value), 4)


def clip_row() -> ClipRow:
    """The manifest's `[clip]`."""
    vocabulary = vocabulary_of(list(BANK))
    return {
        "file": "clip.safetensors",
        "config": clip_config(VISION, len(vocabulary)),
        "vocabulary": vocabulary,
        "mean": list(CLIP_MEAN),
        "std": list(CLIP_STD),
        "made_up_prompts": prompts(MADE_UP),
        "bare_prompts": prompts(PLAIN),
    }
