"""Weights of an operator's guard: the files that were declared, safetensors or ONNX, never code."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from guard.errors import WeightsInvalid
from guard.prompts.adapters.checkpoint import check

_FOR_FILMS_TOO: Final = ("LlavaOnevisionProcessor", "Qwen2VLProcessor", "Qwen2_5_VLProcessor")
CPU: Final = "CPUExecutionProvider"
_SHORT: Final = {
    "cpu": CPU,
    "openvino": "OpenVINOExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
OPENVINO: Final = _SHORT["openvino"]


def checked_file(path: Path, declared: str, *, ending: str) -> bytes:
    """The bytes of one declared weights file, read once, so that what is checked is what runs.

    Raises WeightsInvalid where it is missing, of another kind (a pickle, say), or not the file that
    was declared.
    """
    if path.suffix != ending:
        raise WeightsInvalid(f"{path} is no {ending} file, and others are not loaded; convert it")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsInvalid(f"{path} cannot be read: {error.strerror}; put it there") from error
    found = hashlib.sha256(data).hexdigest()
    if found != declared:
        raise WeightsInvalid(
            f"{path} has SHA-256 {found}, declared is {declared}. Put back the file, or declare "
            "the new digest once you know where it comes from."
        )
    return data


def session(path: Path, declared: str, *, threads: int = 1, provider: str = "cpu") -> Any:
    """An ONNX Runtime session on ``threads`` threads; ``provider`` is cpu, openvino, tensorrt, cuda
    or the name that ONNX Runtime gives it.

    The CPU takes over what the provider cannot run. Raises WeightsInvalid where the file is not the
    one declared or no model, or this build of ONNX Runtime lacks the provider.
    """
    data = checked_file(path, declared, ending=".onnx")
    import onnxruntime

    wanted = _SHORT.get(provider.lower(), provider)
    there = onnxruntime.get_available_providers()
    if wanted not in there:
        raise WeightsInvalid(
            f"this ONNX Runtime has no {wanted}, only {', '.join(there)}; install the build that "
            f"has it (onnxruntime-openvino, onnxruntime-gpu), or declare one of these for {path}"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # OpenVINO has threads of its own, and takes no notice of those of the session.
    first = (wanted, {"num_of_threads": str(threads)}) if wanted == OPENVINO else wanted
    try:
        return onnxruntime.InferenceSession(
            data, options, providers=[first] if first == CPU else [first, CPU]
        )
    except Exception as error:  # bare classes of its C++ half, of many kinds
        raise WeightsInvalid(f"{path} is no model that ONNX Runtime loads: {error}") from error


def checkpoint(folder: Path, declared: str, *, model: type[Any]) -> Any:
    """``model`` (a transformers or diffusers class) out of a folder, ready to read with.

    Raises WeightsInvalid where the files are not those declared, or no such model.
    """
    check(folder, declared)
    import torch
    from safetensors import SafetensorError
    from transformers.utils import logging

    logging.disable_progress_bar()  # stderr belongs to the command line
    try:
        loaded = model.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsInvalid(f"{folder} does not load as {model.__name__}: {error}") from error
    return loaded.eval()


def processor(folder: Path, kind: type[Any]) -> Any:
    """What prepares pictures, or texts, for the checkpoint in ``folder``. Raises WeightsInvalid."""
    try:
        still = _still(folder)
        return (still or kind).from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise WeightsInvalid(f"{folder} does not load as {kind.__name__}: {error}") from error


def _still(folder: Path) -> type[Any] | None:
    """The class of a processor that prepares films too, without its half for films.

    That half is what needs torchvision; pictures are prepared by the Pil classes of transformers.
    """
    import transformers

    named = ""
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        if (folder / name).is_file():  # which of them says it differs with the age of a checkpoint
            named = named or json.loads((folder / name).read_bytes()).get("processor_class")
    if named not in _FOR_FILMS_TOO:
        return None
    kind = getattr(transformers, named)
    kept = [name for name in kind.get_attributes() if name != "video_processor"]
    return type(f"Still{named}", (kind,), {"get_attributes": classmethod(lambda _: kept)})


def tensors(path: Path, declared: str) -> dict[str, Any]:
    """The arrays of one safetensors file. Raises WeightsInvalid."""
    data = checked_file(path, declared, ending=".safetensors")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except SafetensorError as error:
        raise WeightsInvalid(f"{path} is no safetensors file: {error}") from error
