"""What became of a photo, in words that an assistant can pass on."""

from collections.abc import Iterator
from pathlib import Path

from cli.scores import GRADES
from diffam_client import Protected
from diffam_client.contract.report import FaceReport, Judgement, Match


def told(path: Path, done: Protected) -> str:
    """Where it is, how well each face is hidden and by what measure, and what the models are worth."""
    return "\n".join([
        f"The protected photo is {path}. The original is as it was.",
        *(line for face in done.faces for line in _face(face)),
        f"Models: bundle {done.job.bundle.name!r}, grade '{done.job.bundle.grade}'. "
        f"{GRADES.get(done.job.bundle.grade, '')}",
    ])  # fmt: skip


def _face(face: FaceReport) -> Iterator[str]:
    if face.status != "protected":
        yield f"Face {face.index} was left alone ({face.code}). {face.reason or ''}"
        return
    yield f"Face {face.index}: {face.verdict.word}. {face.verdict.sentence}"
    likeness = face.scores
    yield f"- It looks like the original by SSIM {likeness.ssim:.3f} (1: the same), PSNR {likeness.psnr_db:.1f} dB."
    who: list[Match | Judgement] = [*face.recognisers, *face.judges]
    yield from (f"- {_match(seen)}" for seen in who)


def _match(seen: Match | Judgement) -> str:
    """What one recogniser makes of it."""
    knows = "no longer recognises the owner" if seen.dodged else "still recognises the owner"
    whether = "never attacked" if seen.role == "held_out" else "attacked"
    likeness = f"likeness {seen.own_match:.2f}, and {seen.threshold:.2f} would be the same person"
    return f"{seen.name} ({whether}) {knows}: {likeness}."
