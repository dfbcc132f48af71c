"""LPIPS, from the `lpips` package, with whatever trunk a bundle brings."""

import warnings

from torch import nn


def build_perceptual(trunk: str, calibrated: bool) -> nn.Module:
    """An LPIPS module without weights: `forward(a, b)` on portraits in [-1, 1] -> `(batch, 1, 1, 1)`.

    trunk: "alex", "vgg" or "squeeze".  calibrated: with the linear layers fitted to human judgements; without them
    every channel counts the same (the package's own baseline mode).
    """
    import lpips  # here: it brings torchvision, which a process that builds no network does without

    with warnings.catch_warnings():  # the package asks torchvision for its trunk in words deprecated since 0.13
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        module: nn.Module = lpips.LPIPS(pretrained=False, net=trunk, lpips=calibrated, pnet_rand=True, verbose=False)
    return module
