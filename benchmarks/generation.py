"""The embedded core: time for a picture, beside the bare networks in the same run.

    python benchmarks/generation.py [--repeats N] [--threads N]

The floor is what cannot be saved: the denoiser's forward passes (two a step, for guidance) and one
decoding, without a scheduler, a pipeline or a check. Times are CPU seconds of this process a
picture, the median over the repeats; the first, which loads the weights, is told apart.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from guard.generation import GenerationRequest, load_core
from guard.generation.embedded import CHECKPOINTS

PROMPT = "a red house in a meadow at sunset with mountains"


def cpu_seconds(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return median(times)


def floor(steps: int, batch: int, repeats: int) -> float:
    """CPU seconds a picture of the networks alone at 512 x 512."""
    from diffusers import UNet2DConditionModel

    from guard.generation.autoencoder import PatchAutoencoder

    unet = UNet2DConditionModel.from_pretrained(CHECKPOINTS / "scenes" / "unet").float()
    vae = PatchAutoencoder.from_pretrained(CHECKPOINTS / "scenes" / "vae").float()
    cells, channels = unet.config.sample_size, unet.config.in_channels
    latent = torch.randn(2 * batch, channels, cells, cells)
    words = torch.randn(2 * batch, 32, unet.config.cross_attention_dim)

    @torch.no_grad()
    def draw() -> None:
        for _ in range(steps):
            unet(latent, 500, words)
        vae.decode(latent[:batch])

    draw()
    return cpu_seconds(draw, repeats) / batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    core = load_core("scenes")
    info = core.info

    def draw(count: int) -> None:
        core.generate(
            GenerationRequest(
                prompt=PROMPT,
                width=info.default_width,
                height=info.default_height,
                steps=info.default_steps,
                guidance=info.default_guidance,
                seed=1,
                count=count,
            )
        )

    first = cpu_seconds(lambda: draw(1), 1)
    print(f"{info.name}@{info.version}, {info.default_width} x {info.default_height},", end=" ")
    print(f"{info.default_steps} steps, {options.threads} thread(s); first picture {first:.2f} s")
    print("| batch | CPU-s a picture | networks alone | ratio |\n|---|---|---|---|")
    for batch in (1, 4, 8):
        ours = cpu_seconds(lambda count=batch: draw(count), options.repeats) / batch
        bare = floor(info.default_steps, batch, options.repeats)
        print(f"| {batch} | {ours:.3f} | {bare:.3f} | {ours / bare:.2f} |")


if __name__ == "__main__":
    main()
