"""The answers of commercial verifiers as rows, as JSON and as a plot."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.figure import Figure

from diffam_core.score import Share, rate
from evaluation.cells import Json
from evaluation.commercial.errors import VerifierNoFace
from evaluation.commercial.verification import Answer, Question, Verification
from evaluation.commercial.verifier import DECISION
from evaluation.method import Method


@dataclass(frozen=True)
class Tally:
    """What a verifier said of photos, of the `n` that were compared; None where there were none.

    confidence, threshold: means, 0 to 100.  match: the share at or above it.
    """

    n: int
    no_face: int
    failed: int
    confidence: float | None
    threshold: float | None
    match: Share | None


@dataclass(frozen=True)
class Verdict:
    """What a verifier said of one of a method's outcomes: that it shows the target, and that it shows the owner."""

    method: str
    verifier: str
    variant: str
    target: str
    of_target: Tally
    of_owner: Tally

    @property
    def tallies(self) -> dict[str, Tally]:
        """Both, by the words that stand before their columns."""
        return {"target": self.of_target, "own": self.of_owner}


def verdicts(verification: Verification) -> list[Verdict]:
    """A verdict per verifier, method, variant and target."""
    asked = dict[tuple[str, Question], list[Answer]]()
    for answer in verification.answers:
        asked.setdefault((answer.verifier, answer.question), []).append(answer)
    return [
        Verdict(
            question.method, verifier, question.variant, question.target, tally(answers),
            tally(asked.get((verifier, Question(question.method, question.variant, None)), [])),
        )
        for (verifier, question), answers in asked.items()
        if question.target is not None
    ]  # fmt: skip


def tally(answers: Sequence[Answer]) -> Tally:
    """Count answers; those without a face are in no mean."""
    heard = [answer.confidence for answer in answers if answer.confidence is not None]
    no_face = sum(answer.code == VerifierNoFace.code for answer in answers)
    return Tally(
        n=len(heard),
        no_face=no_face,
        failed=len(answers) - len(heard) - no_face,
        confidence=float(np.mean([confidence.value for confidence in heard])) if heard else None,
        threshold=float(np.mean([confidence.thresholds[DECISION] for confidence in heard])) if heard else None,
        match=rate(np.array([confidence.is_match for confidence in heard])) if heard else None,
    )


def as_json(verification: Verification) -> Json:
    """Rows, every single comparison, and what ended early. `target` is null where the photo's owner was asked for."""
    comparisons: list[Json] = [
        {
            "method": answer.question.method,
            "verifier": answer.verifier,
            "variant": answer.question.variant,
            "target": answer.question.target,
            "photo": answer.photo,
            "confidence": answer.confidence and answer.confidence.value,
            "thresholds": answer.confidence and dict(answer.confidence.thresholds),
            "code": answer.code,
        }
        for answer in verification.answers
    ]
    stopped: Json = {name: {"code": error.code, "message": str(error)} for name, error in verification.stopped.items()}
    return {"rows": [_row(each) for each in verdicts(verification)], "comparisons": comparisons, "stopped": stopped}


def _row(verdict: Verdict) -> Json:
    row: Json = {
        "method": verdict.method, "verifier": verdict.verifier, "variant": verdict.variant, "target": verdict.target,
    }  # fmt: skip
    for name, said in verdict.tallies.items():
        share, interval = said.match or (None, None)
        columns = asdict(said) | {"match": share, "match_ci95": interval}
        row |= {f"{name}_{column}": value for column, value in columns.items()}
    return row


def plot_verdicts(said: Sequence[Verdict], methods: dict[str, Method]) -> Figure:
    """Mean confidence of each method's photos, over its variants: that it is the target, and that it is the owner."""
    verifiers = list(dict.fromkeys(verdict.verifier for verdict in said))
    figure = Figure(figsize=(9, 3.4 * max(1, len(verifiers))), layout="constrained")
    for verifier, axes in zip(verifiers, figure.subplots(len(verifiers), squeeze=False)[:, 0], strict=True):
        mine = [verdict for verdict in said if verdict.verifier == verifier]
        names = [name for name in methods if any(verdict.method == name for verdict in mine)]
        for side, (which, label) in enumerate((("target", "the target"), ("own", "the owner"))):
            means = [_mean([v.tallies[which].confidence for v in mine if v.method == name]) for name in names]
            axes.bar(np.arange(len(names)) + 0.4 * side - 0.2, means, 0.4, label=f"it is {label}")
        threshold = _mean([verdict.of_target.threshold for verdict in mine])
        axes.axhline(threshold, color="grey", linestyle="--", label=f"threshold at {DECISION}")
        axes.set_xticks(np.arange(len(names)), [methods[name].title for name in names], fontsize=7)
        axes.set(ylabel="mean confidence", ylim=(0, 105), title=verifier)
        axes.legend(fontsize=7)
    return figure


def _mean(values: Sequence[float | None]) -> float:
    """Mean of the numbers; 0 without any, which draws as no bar."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else 0.0
