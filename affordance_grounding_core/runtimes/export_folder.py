"""Self-describing export folder: engines and the model they are of; loading needs only its path.

The engines lie in it as in the cache, each with a manifest of its own. The model stays where it
is: it is the reference that answers where an engine does not fit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import ArtifactError
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.runtimes.request import PRECISIONS, RUNTIMES, RuntimeRequest

EXPORT_FILE = "export.json"
_VERSION = 1


@dataclass(frozen=True)
class ExportedModel:
    """What `affordance-grounding export -o DIR` wrote.

    Attributes:
        model: name, or absolute path of its checkpoint folder.
        fingerprint: fingerprint of the model, hexadecimal.
        runtime: runtime that was asked for.
        precision: precision that was asked for.
        frames: absolute path of the pictures that engines were gated on; None: the package's.
    """

    model: str
    fingerprint: str
    runtime: str
    precision: str
    frames: str | None = None

    def __post_init__(self) -> None:
        texts = {"model": self.model, "fingerprint": self.fingerprint}
        for name, value in texts.items():
            if not isinstance(value, str) or not value:
                raise ValueError(f"{name} must be a text that is not empty, got {value!r}")
        for name, value, known in (
            ("runtime", self.runtime, RUNTIMES),
            ("precision", self.precision, PRECISIONS),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {list(known)}, got {value!r}")
        if self.frames is not None and not isinstance(self.frames, str):
            raise ValueError(f"frames must be a text or null, got {self.frames!r}")

    def request(self, folder: Path, asked: RuntimeRequest) -> RuntimeRequest:
        """What to ask of the runtime, to find the engines again.

        Args:
            folder: the export lies in.
            asked: request of the user; a runtime, store or frames named there hold.
        """
        merged = asked
        if (asked.runtime, asked.precision) == ("auto", "auto"):
            merged = replace(merged, runtime=self.runtime, precision=self.precision)
        if asked.frames is None and self.frames is not None:
            merged = replace(merged, frames=Path(self.frames))
        return merged if asked.store else replace(merged, store=folder)

    def require(self, folder: Path, fingerprint: str) -> None:
        """Refuse a model that is not the one engines were built for.

        Raises:
            ArtifactError: it has another fingerprint.
        """
        if fingerprint != self.fingerprint:
            raise ArtifactError(
                f"{folder} was exported from model {self.model!r} with fingerprint "
                f"{self.fingerprint[:16]}..., and the model of that name now has "
                f"{fingerprint[:16]}...; export it again"
            )


def write_exported(folder: Path, exported: ExportedModel) -> None:
    """Write what a folder of engines is of.

    Raises:
        OSError: it cannot be written.
    """
    content = {"export_version": _VERSION, **exported.__dict__}
    replace_json(folder / EXPORT_FILE, content)


def read_exported(folder: Path) -> ExportedModel | None:
    """Read what a folder of engines is of; None where it is no such folder.

    Raises:
        ArtifactError: the file is damaged, or of a newer version of the package.
    """
    file = folder / EXPORT_FILE
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{file} cannot be read ({error}); export the model again") from error
    version = content.pop("export_version", None) if isinstance(content, dict) else None
    if version != _VERSION:
        raise ArtifactError(
            f"{file} has export_version {version!r}, this version of the package reads "
            f"{_VERSION}; export the model again"
        )
    try:
        return ExportedModel(**content)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"{file} is damaged ({error}); export the model again") from error
