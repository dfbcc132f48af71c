"""The plots of an evaluation's report."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from evaluation.evaluate import Evaluation
from evaluation.summary import Line, judges


def plot_held_out(table: Sequence[Line], evaluation: Evaluation) -> Figure:
    """How many are taken for the target, a bar for each method and recogniser."""
    attacked, unseen = judges(evaluation)
    names = [*attacked, *unseen]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(table)
    for index, line in enumerate(table):
        middle = np.arange(len(names)) + (index - (len(table) - 1) / 2) * width
        shares = [100 * line.asr[name].value for name in names]
        low = [100 * (line.asr[name].value - line.asr[name].ci95[0]) for name in names]
        high = [100 * (line.asr[name].ci95[1] - line.asr[name].value) for name in names]
        errors = np.maximum([low, high], 0)
        axes.bar(middle, shares, width, yerr=errors, label=line.title, error_kw={"elinewidth": 0.8})
    axes.set_xticks(np.arange(len(names)), names)
    axes.set(ylabel="taken for the target (%), FAR 0.01", ylim=(0, 105), title="By the recogniser that was held out")
    axes.legend(fontsize=7, ncols=2)
    return figure


def plot_treatments(table: Sequence[Line]) -> Figure:
    """The same after each treatment, a line per method."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    for line in table:
        if len(line.treatments) > 1:
            axes.plot(
                list(line.treatments),
                [100 * share.value for share in line.treatments.values()],
                marker="o",
                label=line.title,
            )
    axes.set(ylabel="taken for the target (%)", ylim=(0, 105), title="After what happens to photos online")
    if axes.lines:  # controls are measured on the finished file alone
        axes.legend(fontsize=7, ncols=2)
    return figure


def plot_quality(table: Sequence[Line]) -> Figure:
    """The same against what it costs, a point per method."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    for line in table:
        if line.kind != "nothing":
            axes.scatter(line.cost.face_ssim, 100 * line.mean.value)
            axes.annotate(
                line.title,
                (line.cost.face_ssim, 100 * line.mean.value),
                fontsize=7,
                xytext=(4, 4),
                textcoords="offset points",
            )
    axes.set(
        xlabel="SSIM of the aligned face",
        ylabel="taken for the target (%)",
        ylim=(-5, 105),
        title="Protection and its price",
    )
    return figure
