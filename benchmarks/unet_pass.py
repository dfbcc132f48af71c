"""What could make one pass of the full-size noise predictor faster on a CPU without bfloat16, tried side by side.

    python -m benchmarks.unet_pass [--repeats 3] [--json FILE]

direct: as the product computes.  channels_last: the other memory layout.  winograd: 3x3 convolutions by Winograd's
F(4x4, 3x3), 2.25 multiplications per output instead of 9, in strips that stay in the cache. Times are those of the
processor, one thread; weights are random, speed does not depend on them.
"""

import argparse
import json
import platform
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional

from cli.commit import commit
from diffam_core.networks.unet import EpsModel
from model_store.published import manifest

# Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016), F(4, 3).
INPUT = torch.tensor(
    [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
     [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]], dtype=torch.float64)  # fmt: skip
FILTER = torch.tensor(
    [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
     [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]], dtype=torch.float64)  # fmt: skip
OUTPUT = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], dtype=torch.float64
)
STRIP = 8
"""Rows of tiles computed at once."""
SMALLEST_PX = 16


class Winograd:
    """A 3x3 convolution with its filters transformed once."""

    def __init__(self, conv: nn.Conv2d) -> None:
        weight = torch.einsum("ij,kcjl,ml->imkc", FILTER, conv.weight.double(), FILTER)
        self.filters = weight.reshape(36, conv.out_channels, conv.in_channels).float().contiguous()
        self.bias = conv.bias
        self.enter = torch.kron(INPUT, INPUT).float()
        self.leave = torch.kron(OUTPUT, OUTPUT).float()

    def __call__(self, x: Tensor) -> Tensor:
        """`(batch, channels, height, width)`, both sides multiples of 4."""
        batch, channels, height, width = x.shape
        rows, columns, made = height // 4, width // 4, self.filters.shape[1]
        padded = functional.pad(x, (1, 1, 1, 1))
        result = x.new_empty(batch, made, height, width)
        for image in range(batch):
            for top in range(0, rows, STRIP):
                strip = min(STRIP, rows - top)
                part = padded[image, :, 4 * top : 4 * (top + strip) + 2]
                tiles = part.unfold(1, 6, 4).unfold(2, 6, 4).permute(3, 4, 0, 1, 2).reshape(36, -1)
                entered = (self.enter @ tiles).view(36, channels, strip * columns)
                product = torch.bmm(self.filters, entered)
                left = (self.leave @ product.view(36, -1)).view(4, 4, made, strip, columns)
                target = result[image, :, 4 * top : 4 * (top + strip)].view(made, strip, 4, columns, 4)
                target.copy_(left.permute(2, 3, 0, 4, 1))
        return result if self.bias is None else result + self.bias.view(1, -1, 1, 1)


def with_winograd() -> Any:
    """Every 3x3 convolution that can is computed so inside the block."""
    direct: Callable[[nn.Conv2d, Tensor], Tensor] = nn.Conv2d.forward
    known: dict[nn.Conv2d, Winograd] = {}

    def forward(conv: nn.Conv2d, x: Tensor) -> Tensor:
        is_plain = conv.kernel_size == (3, 3) and conv.stride == (1, 1) and conv.padding == (1, 1)
        if not is_plain or min(conv.in_channels, conv.out_channels) < 64 or x.shape[-1] < SMALLEST_PX:
            return direct(conv, x)
        if conv not in known:
            known[conv] = Winograd(conv)
        return known[conv](x)

    return patch.object(nn.Conv2d, "forward", forward)


def seconds(eps: EpsModel, x: Tensor, around: Any, repeats: int) -> tuple[float, Tensor]:
    """Median of processor seconds of a pass, after one that pays for preparations, and what it predicts."""
    timestep, taken = torch.tensor([60]), []
    with torch.inference_mode(), around:
        predicted: Tensor = eps(x, timestep)
        for _ in range(repeats):
            started = process_time()
            eps(x, timestep)
            taken.append(process_time() - started)
    return median(taken), predicted.float()


def main() -> None:
    """Try all, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    at = commit()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    eps = EpsModel(1, manifest.UNET).eval().requires_grad_(False)
    x = torch.rand(1, 3, 256, 256) * 2 - 1
    found: dict[str, dict[str, float]] = {}
    direct, expected = seconds(eps, x, nullcontext(), arguments.repeats)
    ways = {
        "channels_last": nullcontext(),
        "winograd": with_winograd(),
    }
    for name, around in ways.items():
        layout = torch.channels_last if name == "channels_last" else torch.contiguous_format
        eps.to(memory_format=layout)
        taken, predicted = seconds(eps, x.contiguous(memory_format=layout), around, arguments.repeats)
        error = float((predicted - expected).abs().max())
        found[name] = {"seconds": round(taken, 2), "times_faster": round(direct / taken, 2), "largest_error": error}
    report = {"direct_seconds": round(direct, 2), **found, "commit": at, "machine": platform.platform()}
    print(json.dumps(report, indent=2))  # noqa: T201  # this is a command
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
