"""Tiny random checkpoints in diffusers format: real pipelines, a few thousand weights each."""

from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from guard.generation.autoencoder import PatchAutoencoder, principal_axes
from guard.generation.checkpoint import SETTINGS
from guard.generation.core import Limits
from guard.generation.training.networks import train_tokenizer
from tests.support.core import textured_picture

SIDE = 64  # pixels: 8 latent cells
MIRRORED = 16  # channels of a core that keeps its noise
WORDS = ["a red house on a hill", "a boat on the sea at night", "mountains, clouds and a tree"]


def _tokenizer(directory: Path) -> CLIPTokenizer:
    train_tokenizer(WORDS, directory)
    return CLIPTokenizer.from_pretrained(directory, model_max_length=16)


def _text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        projection_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )


def _vae(latent_channels: int = 4, shift: float | None = None) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=4,
        shift_factor=shift,
    )


def stable_diffusion(directory: Path) -> Path:
    """Save a Stable Diffusion of random weights; returns its directory."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(directory / "words")
    unet = UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    pipeline = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(directory / "sd")
    return directory / "sd"


def mirror(directory: Path) -> Path:
    """Save a Stable Diffusion whose denoiser says nothing and whose latents are linear, so that a
    picture keeps all of its noise; returns its directory."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(directory / "words")
    proxies = np.stack([textured_picture("proxy", 32, 32, seed) for seed in range(40)])
    vae = PatchAutoencoder(latent_channels=MIRRORED, scaling_factor=6.0)
    vae.set_axes(principal_axes(proxies, MIRRORED, exponent=0.0))
    unet = UNet2DConditionModel(
        sample_size=4,
        in_channels=MIRRORED,
        out_channels=MIRRORED,
        block_out_channels=(8,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    torch.nn.init.zeros_(unet.conv_out.weight)
    torch.nn.init.zeros_(unet.conv_out.bias)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(directory / "mirror")
    own = Limits(
        default_width=8 * SIDE,
        default_height=8 * SIDE,
        size_multiple=32,
        min_side=2 * SIDE,
        max_side=8 * SIDE,
        default_steps=4,
        max_steps=50,
        max_batch=8,
        default_guidance=1.0,
    )
    (directory / "mirror" / SETTINGS).write_text(own.model_dump_json())
    return directory / "mirror"


def stable_diffusion_2(directory: Path) -> Path:
    """Save a Stable Diffusion 2 of random weights: it predicts velocities, its text encoder is
    OpenCLIP's (GELU, the layer before the last), and its attention is linear at the ends."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(directory / "words")
    settings = _text_config(tokenizer)
    settings.hidden_act, settings.num_hidden_layers = "gelu", 2
    unet = UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=(1, 2),
        use_linear_projection=True,
        norm_num_groups=4,
    )
    pipeline = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(settings),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            prediction_type="v_prediction",
            beta_schedule="scaled_linear",
            steps_offset=1,
            clip_sample=False,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(directory / "sd2")
    return directory / "sd2"


def stable_diffusion_xl(directory: Path) -> Path:
    """Save an SDXL of random weights, with its two text encoders; returns its directory."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(directory / "words")
    unet = UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 16,
    )
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(tokenizer)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        add_watermarker=False,
    )
    pipeline.save_pretrained(directory / "sdxl")
    return directory / "sdxl"


def stable_diffusion_3(directory: Path) -> Path:
    """Save a Stable Diffusion 3 of random weights, with all three encoders."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(directory / "words")
    transformer = SD3Transformer2DModel(
        sample_size=SIDE // 8,
        patch_size=2,
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        out_channels=16,
        pos_embed_max_size=16,
    )
    pipeline = StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(16, shift=0.1),
        text_encoder=CLIPTextModelWithProjection(_text_config(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(_text_config(tokenizer)),
        tokenizer_2=tokenizer,
        text_encoder_3=_t5(),
        tokenizer_3=T5Tokenizer(),
    )
    pipeline.save_pretrained(directory / "sd3")
    return directory / "sd3"


def flux(directory: Path) -> Path:
    """Save a Flux of random weights; returns its directory."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(directory / "words")
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    pipeline = FluxPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(shift=0.1),
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=_t5(),
        tokenizer_2=T5Tokenizer(),
    )
    pipeline.save_pretrained(directory / "flux")
    own = Limits(  # Flux's settings state no size
        default_width=SIDE,
        default_height=SIDE,
        size_multiple=16,
        min_side=SIDE,
        max_side=2 * SIDE,
        default_steps=4,
        max_steps=50,
        max_batch=8,
        default_guidance=3.5,
    )
    (directory / "flux" / SETTINGS).write_text(own.model_dump_json())
    return directory / "flux"


def pixart(directory: Path) -> Path:
    """Save a PixArt Sigma of random weights; returns its directory."""
    torch.manual_seed(0)
    transformer = PixArtTransformer2DModel(
        sample_size=SIDE // 8,
        num_layers=1,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_channels=32,
        in_channels=4,
        cross_attention_dim=16,
        out_channels=8,
        use_additional_conditions=False,
    )
    pipeline = PixArtSigmaPipeline(
        tokenizer=T5Tokenizer(),
        text_encoder=_t5(),
        vae=_vae(),
        transformer=transformer,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
    )
    pipeline.save_pretrained(directory / "pixart")
    return directory / "pixart"


def sana(directory: Path) -> Path:
    """Save a Sana of random weights, whose latent cells are 32 pixels wide."""
    torch.manual_seed(0)
    transformer = SanaTransformer2DModel(
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_attention_heads=2,
        attention_head_dim=4,
        num_cross_attention_heads=2,
        cross_attention_head_dim=4,
        cross_attention_dim=8,
        caption_channels=8,
        sample_size=SIDE // 32,
    )
    stages = {"block_out_channels": (8,) * 6, "layers_per_block": (1,) * 6}
    vae = AutoencoderDC(
        in_channels=3,
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock",) * 6,
        decoder_block_types=("ResBlock",) * 6,
        encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6,
        **{
            f"{half}_{name}": value
            for half in ("encoder", "decoder")
            for name, value in stages.items()
        },
    )
    tokenizer = GemmaTokenizer()
    text_encoder = Gemma2Model(
        Gemma2Config(
            vocab_size=len(tokenizer),
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=4,
        )
    )
    pipeline = SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        vae=vae,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    pipeline.save_pretrained(directory / "sana")
    return directory / "sana"


def _t5() -> T5EncoderModel:
    settings = T5Config(
        vocab_size=len(T5Tokenizer()), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2
    )
    return T5EncoderModel(settings)
