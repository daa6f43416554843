"""Table of the hub models that labels are made with, each pinned to one commit.

The revisions are those that the models' own pages and other projects name; no hub could be
reached where this was written, so the files behind them have not been loaded by its authors.
`transformers` loads exactly the named commit or nothing, and only safetensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import RuntimeUnavailableError, WeightsError

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubModel:
    """A model on the Hugging Face hub.

    Attributes:
        name: on the hub: owner and repository.
        revision: commit, 40 hexadecimal digits; never a branch, which may move.
        licence: licence of the weights.
        gated: whether the hub asks for an account that has accepted the licence.
    """

    name: str
    revision: str
    licence: str
    gated: bool = False

    def __post_init__(self) -> None:
        if not _COMMIT.fullmatch(self.revision):
            raise WeightsError(
                f"revision of {self.name} must be a commit hash of 40 hexadecimal digits, got "
                f"{self.revision!r}; branches and tags may move, so they pin nothing"
            )

    @property
    def identity(self) -> str:
        """Name and commit."""
        return f"{self.name}@{self.revision}"


SAM3 = HubModel(
    "facebook/sam3", "3c879f39826c281e95690f02c7821c4de09afae7", "SAM License", gated=True
)
GROUNDING_DINO = HubModel(
    "IDEA-Research/grounding-dino-base", "12bdfa3120f3e7ec7b434d90674b3396eccf88eb", "Apache-2.0"
)
SAM2 = HubModel(
    "facebook/sam2.1-hiera-large", "665f8e2ad61cf5f53d65644ff27c8ee525124610", "Apache-2.0"
)
SAM = HubModel("facebook/sam-vit-huge", "87aecf0df4ce6b30cd7de76e87673c49644bdf67", "Apache-2.0")

HUB_MODELS = {model.name: model for model in (SAM3, GROUNDING_DINO, SAM2, SAM)}
"""All of them, by their name on the hub."""


@dataclass(frozen=True)
class ModelSource:
    """Where models come from.

    Attributes:
        folder: holds a folder OWNER/REPOSITORY for each model, as `hf download --local-dir`
            makes it; None takes the hub's cache and the hub.
        revisions: other commits than the pinned ones, by name on the hub.
    """

    folder: Path | None = None
    revisions: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.revisions or {}) - set(HUB_MODELS))
        if unknown:
            raise WeightsError(
                f"revisions are given for unknown models {unknown}; expected some of "
                f"{sorted(HUB_MODELS)}"
            )

    def resolve(self, model: HubModel) -> HubModel:
        """Return a model at the commit this source takes."""
        revision = (self.revisions or {}).get(model.name, model.revision)
        return HubModel(model.name, revision, model.licence, model.gated)

    def load(self, model: HubModel, load: Callable[..., Any], **options: Any) -> Any:
        """Load a model or a processor.

        Args:
            model: which.
            load: a `from_pretrained` of transformers.
            options: further arguments of it.

        Raises:
            WeightsError: it is not in the folder, the hub cannot be reached, asks for an
                account, or does not have that commit.
        """
        pinned = self.resolve(model)
        if self.folder is not None:
            place = self.folder / pinned.name
            if not place.is_dir():
                raise WeightsError(
                    f"folder {str(self.folder)!r} has no {pinned.name}; expected the files of "
                    f"the hub's repository there: `hf download {pinned.name} --revision "
                    f"{pinned.revision} --local-dir {place}`"
                )
            options |= {"local_files_only": True}
            return _call(load, str(place), pinned, **options)
        return _call(load, pinned.name, pinned, revision=pinned.revision, **options)


def parse_revisions(texts: list[str]) -> dict[str, str]:
    """Read "OWNER/REPOSITORY=COMMIT" entries of the command line.

    Raises:
        WeightsError: an entry of another form.
    """
    revisions = {}
    for text in texts:
        name, equals, commit = text.partition("=")
        if not equals or not _COMMIT.fullmatch(commit):
            raise WeightsError(
                f"--revision {text!r}: expected OWNER/REPOSITORY=COMMIT with the 40 hexadecimal "
                "digits of a commit"
            )
        revisions[name] = commit
    return revisions


def transformers_module() -> Any:
    """Import transformers, here and nowhere else.

    Raises:
        RuntimeUnavailableError: it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"labelling needs the extra 'label' ({error}); install it with "
            "`pip install 'affordance-grounding-core[label,train]'`"
        ) from error
    return transformers


def _call(load: Callable[..., Any], place: str, model: HubModel, **options: Any) -> Any:
    try:
        return load(place, **options)
    except (OSError, ValueError) as error:  # all that transformers raises for missing files
        gate = (
            f" The model is gated: accept its licence at https://huggingface.co/{model.name} and "
            "run `hf auth login`."
            if model.gated
            else ""
        )
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"model {model.identity} cannot be loaded from {place!r} ({first}).{gate} Without "
            f"a network, run `hf download {model.name} --revision {model.revision} --local-dir "
            f"FOLDER/{model.name}` elsewhere and name FOLDER with --model-folder"
        ) from error
