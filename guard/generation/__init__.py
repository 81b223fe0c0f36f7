"""Generation cores: what draws the pictures. `load_core` gives one."""

from guard.generation.core import Core, CoreInfo, GenerationRequest, Original, Progress, load_core

__all__ = ["Core", "CoreInfo", "GenerationRequest", "Original", "Progress", "load_core"]
