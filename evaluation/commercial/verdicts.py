"""The answers of commercial verifiers as rows, as JSON and as a plot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from evaluation.commercial.errors import VerifierNoFace
from evaluation.commercial.verification import Answer, Question, Verification
from evaluation.commercial.verifier import DECISION
from evaluation.judge import rate
from evaluation.method import Method


def verdicts(verification: Verification) -> list[dict[str, Any]]:
    """A row per verifier, method, variant and target; `target_*` and `own_*` are the columns of `_column`."""
    asked = dict[tuple[str, Question], list[Answer]]()
    for answer in verification.answers:
        asked.setdefault((answer.verifier, answer.question), []).append(answer)
    return [
        {"method": question.method, "verifier": verifier, "variant": question.variant, "target": question.target}
        | _column("target", answers)
        | _column("own", asked.get((verifier, Question(question.method, question.variant, None)), []))
        for (verifier, question), answers in asked.items()
        if question.target is not None
    ]


def _column(name: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """Mean confidence and its threshold, 0 to 100; the share at or above it (Wilson interval); and what is left out.

    Shares and means are those of the `n` photos that were compared; None where there were none.
    """
    heard = [answer.confidence for answer in answers if answer.confidence is not None]
    without = [answer for answer in answers if answer.code == VerifierNoFace.code]
    share, interval = rate(np.array([confidence.is_match for confidence in heard])) if heard else (None, None)
    facts = {
        "n": len(heard),
        "no_face": len(without),
        "failed": len(answers) - len(heard) - len(without),
        "confidence": float(np.mean([confidence.value for confidence in heard])) if heard else None,
        "threshold": float(np.mean([confidence.thresholds[DECISION] for confidence in heard])) if heard else None,
        "match": share,
        "match_ci95": interval,
    }
    return {f"{name}_{column}": value for column, value in facts.items()}


def as_json(verification: Verification) -> dict[str, Any]:
    """Rows, every single comparison, and what ended early. `target` is null where the photo's owner was asked for."""
    comparisons = [
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
    stopped = {name: {"code": error.code, "message": str(error)} for name, error in verification.stopped.items()}
    return {"rows": verdicts(verification), "comparisons": comparisons, "stopped": stopped}


def plot_verdicts(rows: Sequence[dict[str, Any]], methods: dict[str, Method]) -> Figure:
    """Mean confidence of each method's photos, over its variants: that it is the target, and that it is the owner."""
    verifiers = list(dict.fromkeys(row["verifier"] for row in rows))
    figure = Figure(figsize=(9, 3.4 * max(1, len(verifiers))), layout="constrained")
    for verifier, axes in zip(verifiers, figure.subplots(len(verifiers), squeeze=False)[:, 0], strict=True):
        mine = [row for row in rows if row["verifier"] == verifier]
        names = [name for name in methods if any(row["method"] == name for row in mine)]
        for side, (column, label) in enumerate((("target", "the target"), ("own", "the owner"))):
            means = [_mean([row for row in mine if row["method"] == name], f"{column}_confidence") for name in names]
            axes.bar(np.arange(len(names)) + 0.4 * side - 0.2, means, 0.4, label=f"it is {label}")
        axes.axhline(_mean(mine, "target_threshold"), color="grey", linestyle="--", label=f"threshold at {DECISION}")
        axes.set_xticks(np.arange(len(names)), [methods[name].title for name in names], fontsize=7)
        axes.set(ylabel="mean confidence", ylim=(0, 105), title=verifier)
        axes.legend(fontsize=7)
    return figure


def _mean(rows: Sequence[dict[str, Any]], column: str) -> float:
    """Mean of a column's numbers; 0 without any, which draws as no bar."""
    numbers = [row[column] for row in rows if row[column] is not None]
    return float(np.mean(numbers)) if numbers else 0.0
