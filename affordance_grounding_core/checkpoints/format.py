"""Our checkpoint: a folder with `config.json` and `model.safetensors`.

The config names the method, its network, the vocabulary, preprocessing and thresholds. It
holds the sha256 of the weights and of itself, so that damage to either file is noticed.
These are checksums, not signatures: whoever can write the folder can write them too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as serialize_tensors

from affordance_grounding_core.errors import CheckpointError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A model as it lies on disk.

    Attributes:
        folder: where it was read.
        config: content of `config.json`.
        tensors: trained weights by name.
        fingerprint: sha256 of weights and config, hexadecimal; what changes an answer changes it.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]
    fingerprint: str


def packaged_checkpoint(name: str) -> Path | None:
    """Folder of a checkpoint that comes with the package, or None if there is no such name."""
    folder = Path(__file__).parent / name
    known = name.isidentifier() and (folder / CONFIG_FILE).is_file()
    return folder if known else None


def packaged_names() -> list[str]:
    """Names that `load_grounder` knows without a folder."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob(f"*/{CONFIG_FILE}"))


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises:
        CheckpointError: a file is missing, cannot be read, is of another format version, or
            the weights are not those the config was written with.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"checkpoint {folder} has no {name}; expected a folder with {CONFIG_FILE} and "
                f"{WEIGHTS_FILE}, as training writes it, or one of the names {packaged_names()}"
            )
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint config {folder / CONFIG_FILE} cannot be read as JSON ({error}); "
            "restore the file from where the checkpoint came"
        ) from error
    version = config.get("format_version") if isinstance(config, dict) else None
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint {folder} has format_version {version!r}, this package reads "
            f"{FORMAT_VERSION}; install the version of the package that wrote it"
        )
    content = (folder / WEIGHTS_FILE).read_bytes()
    weights = hashlib.sha256(content).hexdigest()
    if config.get("config_sha256") != _config_digest(config):
        raise CheckpointError(
            f"checkpoint config {folder / CONFIG_FILE} does not have the checksum it was written "
            "with: it was edited or damaged; restore it, or give thresholds and actions where "
            "they are used (parameters, --threshold) instead of in the file"
        )
    if weights != config.get("weights_sha256"):
        raise CheckpointError(
            f"checkpoint weights {folder / WEIGHTS_FILE} have sha256 {weights}, "
            f"{CONFIG_FILE} expects {config.get('weights_sha256')}: the file is damaged or was "
            "exchanged; restore both files from the same source"
        )
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise CheckpointError(
            f"checkpoint weights {folder / WEIGHTS_FILE} are no safetensors file ({error})"
        ) from error
    return Checkpoint(folder, config, tensors, config["config_sha256"])


def write_checkpoint(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> Checkpoint:
    """Write a checkpoint; each file is replaced as a whole or left as it was.

    Args:
        folder: made if needed.
        config: JSON-serialisable; format version and checksums are added.
        tensors: trained weights by name.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    content = serialize_tensors({name: value.contiguous() for name, value in tensors.items()})
    weights = hashlib.sha256(content).hexdigest()
    complete = {"format_version": FORMAT_VERSION, "weights_sha256": weights} | dict(config)
    fingerprint = _config_digest(complete)  # the hash of the weights is part of it
    complete["config_sha256"] = fingerprint
    text = json.dumps(complete, indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / WEIGHTS_FILE, content)
        _replace(folder / CONFIG_FILE, text.encode())
    except OSError as error:
        raise CheckpointError(
            f"checkpoint cannot be written to {folder} ({error}); free space or choose another "
            "folder"
        ) from error
    return Checkpoint(folder, complete, tensors, fingerprint)


def _config_digest(config: Mapping[str, Any]) -> str:
    """Hash a config without its own checksum, whatever the order and spacing of the file."""
    content = {key: value for key, value in config.items() if key != "config_sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
