"""From the name of a model to a grounder that is ready to use."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.vocabulary import (
    ActionVocabulary,
    abbreviate,
    vocabulary_from_mapping,
)
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.inference.looks import parse_looks
from affordance_grounding_core.inference.preprocess import Preprocess
from affordance_grounding_core.inference.turn import parse_image_turn
from affordance_grounding_core.methods.base import METHODS, RANDOM_MODELS
from affordance_grounding_core.runtimes.export_folder import (
    EXPORT_FILE,
    ExportedModel,
    read_exported,
)
from affordance_grounding_core.runtimes.request import RuntimeRequest, parse_runtime

if TYPE_CHECKING:
    from affordance_grounding_core.checkpoints.format import Checkpoint
    from affordance_grounding_core.inference.grounder import Grounder
    from affordance_grounding_core.inference.runtime import HeatRuntime


_log = logging.getLogger(__name__)


def load_grounder(
    name: str | Path = "default",
    runtime: str = "auto",
    *,
    precision: str | None = None,
    backbone_weights: str | Path | None = None,
    request: RuntimeRequest | None = None,
    taught: str | Path | None = None,
    input_size: int | None = None,
    looks: str | int = 1,
    image_turn: str | int = 0,
) -> Grounder:
    """Load a model.

    Args:
        name: a model of the package ("default"), one of `RANDOM_MODELS`, a checkpoint folder,
            or a folder that `export -o` wrote: then its engines answer, in the runtime they
            were built for.
        runtime: one of `runtimes.request.RUNTIMES`, with a precision after a hyphen if wanted
            ("openvino-int8"). "auto" takes the fastest that passes the numeric gate.
        precision: one of `runtimes.request.PRECISIONS`.
        backbone_weights: local file of the frozen backbone; where None, the cached or
            pinned weights, which are fetched once.
        request: more options of the runtime, in place of `runtime` and `precision`.
        taught: file of taught actions, which join the vocabulary; None: only trained ones.
        input_size: side in px of the square that images are brought to, or whose area they
            keep, a multiple of the model's patch; None: the model's own.
        looks: 1, 2, "auto" or "turns"; see `inference.looks` and docs/use/default_model.md.
        image_turn: degrees counterclockwise that bring the camera's images upright: 0, 90, 180
            or 270. The network sees them upright; answers are of their own pixels.

    Returns:
        A grounder; `warm_up` makes its first call as fast as the others.

    Raises:
        CheckpointError: no such model, or a file that is missing, damaged or of another kind.
        WeightsError: the backbone cannot be fetched or verified.
        RuntimeUnavailableError: no such runtime or precision on this machine.
        TeachingError: the taught actions cannot be read, or used with this model.
        ArtifactError: an exported folder that is damaged or of another model.
        ValueError: an input size that is no multiple of the patch, other looks or another turn.
    """
    request = request or RuntimeRequest(*parse_runtime(runtime, precision))
    weights = Path(backbone_weights).expanduser() if backbone_weights else None
    folder, exported = _exported(name)
    if exported is not None:
        name, request = exported.model, exported.request(folder, request)
    grounder = _load_eager(name, weights)
    try:
        if exported is not None:
            exported.require(folder, grounder.information.fingerprint)
        _set_sight(grounder, input_size, looks, image_turn)
        if (request.runtime, request.precision) not in (("eager", "auto"), ("eager", "fp32")):
            grounder.use_runtime(lambda eager: choose_runtime(grounder, eager, request))
        if taught is not None:
            add_taught(grounder, taught)
    except Exception:
        grounder.close()
        raise
    return grounder


def _set_sight(
    grounder: Grounder, input_size: int | None, looks: str | int, image_turn: str | int
) -> None:
    """Set how a grounder sees images; see `load_grounder`."""
    if input_size is not None:
        own = grounder.preprocess.config
        grounder.preprocess = Preprocess(replace(own, size=input_size))
    grounder.looks = parse_looks(looks)
    grounder.image_turn = parse_image_turn(image_turn)


def add_taught(grounder: Grounder, file: str | Path) -> None:
    """Put the taught actions of a file into the vocabulary of a grounder.

    Args:
        grounder: as loaded.
        file: that `affordance-grounding teach` wrote.

    Raises:
        TeachingError: the file is missing or damaged, or cannot be used with this model.
    """
    from affordance_grounding_core.teaching.file import read_taught
    from affordance_grounding_core.teaching.teacher import Teacher

    path = Path(file).expanduser()
    read_taught(path)  # A teacher would begin a file that is not there.
    Teacher(grounder, path)


def trained_vocabulary(name: str | Path) -> ActionVocabulary:
    """Read the vocabulary of a model without loading its network.

    Args:
        name: see `load_grounder`.

    Raises:
        CheckpointError: no such model, or a file that is missing, damaged or of another kind.
    """
    _, exported = _exported(name)
    name = exported.model if exported else name
    if name in RANDOM_MODELS:
        return _load_eager(name, None).vocabulary
    checkpoint = _read(name)
    try:
        return vocabulary_from_mapping(checkpoint.config["actions"], ALIASES)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"checkpoint {checkpoint.folder} lists no actions ({error}); restore config.json from "
            "where the checkpoint came"
        ) from error


def _exported(name: str | Path) -> tuple[Path, ExportedModel | None]:
    """Where a name is the path of an exported folder, that path, and what is in it."""
    if not str(name) or name in RANDOM_MODELS:
        return Path(), None
    try:
        folder = Path(name).expanduser().absolute()
        is_exported = (folder / EXPORT_FILE).is_file()
    except (OSError, RuntimeError, ValueError):  # too long; the home of nobody; a zero byte
        return Path(), None
    return folder, read_exported(folder) if is_exported else None


def _load_eager(name: str | Path, weights: Path | None) -> Grounder:
    """Load a model on plain PyTorch."""
    if name in RANDOM_MODELS:
        return cast(
            "Grounder",
            import_module(RANDOM_MODELS[str(name)].grounder_module).random_grounder("eager"),
        )
    checkpoint = _read(name)
    method = str(checkpoint.config.get("method"))
    if method not in METHODS:
        raise CheckpointError(
            f"checkpoint {checkpoint.folder} was trained by method {method!r}; this version of "
            f"the package runs {sorted(METHODS)}"
        )
    if notice := checkpoint.config.get("notice"):
        _log.warning("model %s: %s", name, notice)
    builder = import_module(METHODS[method].grounder_module)
    return cast("Grounder", builder.build_grounder(checkpoint, str(name), "eager", weights))


def _read(name: str | Path) -> Checkpoint:
    """Read the checkpoint of a packaged name or a folder."""
    # PyTorch comes with these; importing the package alone stays quick.
    from affordance_grounding_core.checkpoints.format import (
        packaged_checkpoint,
        packaged_names,
        read_checkpoint,
    )

    try:
        folder = packaged_checkpoint(str(name)) or Path(name).expanduser()
        is_folder = bool(str(name)) and folder.is_dir()
    except (OSError, RuntimeError):  # too long for a file system; the home of nobody
        is_folder = False
    if not is_folder:
        raise CheckpointError(
            f"model {abbreviate(str(name), 160)} is neither one of "
            f"{[*packaged_names(), *RANDOM_MODELS]} nor a checkpoint folder; give one of these "
            "names or the path of a folder with config.json and model.safetensors"
        )
    return read_checkpoint(folder)


def choose_runtime(
    grounder: Grounder, reference: HeatRuntime, request: RuntimeRequest
) -> HeatRuntime:
    """Make the runtime that was asked for, or the best there is.

    Args:
        grounder: whose preprocessing, vocabulary and thresholds hold.
        reference: its network in PyTorch. Any other runtime stays as it is: it has no network to
            export.
        request: what was asked for.

    Returns:
        The reference itself where PyTorch in float32 was asked for.

    Raises:
        RuntimeUnavailableError: the runtime or precision is not available on this machine.
    """
    # PyTorch comes with these; importing the package alone stays quick.
    from affordance_grounding_core.runtimes.building.beside import BuildProcesses
    from affordance_grounding_core.runtimes.building.ladder import make_ladder
    from affordance_grounding_core.runtimes.building.maker import Subject
    from affordance_grounding_core.runtimes.eager import EagerRuntime
    from affordance_grounding_core.runtimes.engines.store import ArtifactStore, store_directory
    from affordance_grounding_core.runtimes.gated import GatedRuntime

    if not isinstance(reference, EagerRuntime):
        return reference
    if request.runtime == "eager" and request.precision in ("auto", "fp32"):
        return reference
    ladder = make_ladder(request)
    if not ladder.candidates:
        return reference
    subject = Subject(
        preprocess=grounder.preprocess.config,
        vocabulary=len(grounder.actions),
        threshold=grounder.regions.threshold,
    )
    store = ArtifactStore(request.store or store_directory())
    return GatedRuntime(reference, ladder, store, request, subject, BuildProcesses())
