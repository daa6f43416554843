"""Teaches a loaded model actions by examples and keeps them in the user's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from affordance_grounding_core.actions.vocabulary import ActionVocabulary, vocabulary_from_mapping
from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.grounder import Grounder, check_image
from affordance_grounding_core.inference.runtime import HeatRuntime
from affordance_grounding_core.inference.turn import upright
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.gated import GatedRuntime
from affordance_grounding_core.teaching.background import generic_background
from affordance_grounding_core.teaching.collection import TaughtActions, check_name
from affordance_grounding_core.teaching.exemplars import make_exemplar
from affordance_grounding_core.teaching.features import PatchFeatures, find_backbone
from affordance_grounding_core.teaching.file import read_taught, write_taught
from affordance_grounding_core.teaching.marks import Mark
from affordance_grounding_core.teaching.prototypes import PrototypeConfig, TaughtScorer
from affordance_grounding_core.teaching.runtime import Route, TaughtRuntime


class Teacher:
    """Adds taught actions to the vocabulary of a grounder.

    From then on the grounder answers them like its own. What fails changes nothing: neither the
    grounder nor the file. Calls must come from the thread that calls the grounder, or while it
    does not.

    Args:
        grounder: grounder of a model with a DINOv2 backbone, as loaded.
        file: where actions are kept; read if it is there, written with every change. None: they
            are kept in memory only.
        config: how likeness becomes heat.

    Attributes:
        features: features of the model's backbone.

    Raises:
        TeachingError: the model cannot be taught, or the file cannot be used with it.
    """

    def __init__(
        self,
        grounder: Grounder,
        file: str | Path | None = None,
        config: PrototypeConfig | None = None,
    ) -> None:
        self._grounder = grounder
        self._file = Path(file).expanduser() if file is not None else None
        self._config = config or PrototypeConfig()
        self._trained = grounder.vocabulary
        name = grounder.information.name
        self.features: PatchFeatures
        kept = read_taught(self._file) if self._file and self._file.exists() else None
        grounder.use_runtime(lambda inner: self._wrap(inner, name))
        self._taught = TaughtActions(self.features.identity)
        self._scorers: dict[str, tuple[object, TaughtScorer]] = {}
        try:
            self._require_same_backbone(kept or self._taught)
            self._use(kept or self._taught)
        except TeachingError:
            grounder.use_runtime(lambda _: self._runtime.inner)
            raise

    @property
    def taught(self) -> TaughtActions:
        """The taught actions of now."""
        return self._taught

    def teach(
        self,
        name: str,
        image: RgbImage,
        mark: Mark,
        *,
        source: str = "",
        override: bool = False,
    ) -> int:
        """Teach an action by one more example.

        Args:
            name: name of the action; the first example begins it.
            image: as the camera or a file gave it.
            mark: the part, over the same pixels.
            source: what the picture is called in lists.
            override: take the place of a trained action, or of another word for one, of this
                name.

        Returns:
            How many examples the action has now.

        Raises:
            TeachingError: the name, the mark or the number of examples is refused, or the file
                cannot be written.
            InvalidImageError: not an (H, W, 3) uint8 array, or without pixels.
        """
        name = check_name(name)
        known = self._taught.actions.get(name)
        if known is None or not known.overrides:
            require_free(name, self._trained, override)
        check_image(image)
        if mark.mask.shape != image.shape[:2]:
            raise TeachingError(
                f"the mark is made for a picture of {mark.mask.shape[1]} x {mark.mask.shape[0]} "
                f"px, the picture is {image.shape[1]} x {image.shape[0]} px; mark the picture "
                "itself"
            )
        turn = self._grounder.image_turn  # What is learned is upright, as what is seen later.
        pixels, geometry = self.features.preprocess(upright(image, turn))
        coverage, inside = self.features.coverage(upright(mark.mask, turn), geometry)
        exemplar = make_exemplar(
            self.features.of_pixels(pixels),
            coverage,
            inside,
            source=_printable(source),
            mark=mark.description,
        )
        overrides = override and self._trained.find(name) is not None
        self._change(self._taught.add(name, exemplar, overrides=overrides))
        return len(self._taught.actions[name].exemplars)

    def remove(self, name: str, exemplar: int | None = None) -> None:
        """Forget an action, or one of its examples; see `TaughtActions.remove`.

        Raises:
            TeachingError: no such action or example, or the file cannot be written.
        """
        self._change(self._taught.remove(name, exemplar))

    def rename(self, name: str, new_name: str, *, override: bool = False) -> None:
        """Give a taught action another name; see `TaughtActions.rename`.

        Raises:
            TeachingError: no such action, a name that is refused, or the file cannot be written.
        """
        new_name = check_name(new_name)
        require_free(new_name, self._trained, override)
        overrides = override and self._trained.find(new_name) is not None
        self._change(self._taught.rename(name, new_name, overrides=overrides))

    def _wrap(self, inner: HeatRuntime, name: str) -> HeatRuntime:
        reference = inner.reference if isinstance(inner, GatedRuntime) else inner
        if not isinstance(reference, EagerRuntime):
            raise TeachingError(
                f"model {name!r} cannot be taught actions: its runtime {inner.description!r} "
                "gives no features; use the model 'default'"
            )
        backbone = find_backbone(reference.network, name)
        self.features = PatchFeatures(backbone, self._grounder.preprocess)
        self._runtime = TaughtRuntime(inner, self.features)
        return self._runtime

    def _require_same_backbone(self, taught: TaughtActions) -> None:
        if taught.backbone != self.features.identity:
            raise TeachingError(
                f"taught actions in {self._file} were taught on backbone {taught.backbone}, model "
                f"{self._grounder.information.name!r} has {self.features.identity}; their "
                "features cannot be compared: use the model they were taught on, or teach them "
                "again to another file"
            )

    def _change(self, taught: TaughtActions) -> None:
        before = self._taught
        self._use(taught)
        try:
            if self._file is not None:
                write_taught(self._file, taught)
        except Exception:
            self._use(before)
            raise

    def _use(self, taught: TaughtActions) -> None:
        for name, action in taught.actions.items():
            require_free(name, self._trained, action.overrides)
        vocabulary, routes = self._extended(taught)
        self._taught = taught
        self._runtime.set_routes(routes)
        self._grounder.vocabulary = vocabulary

    def _extended(self, taught: TaughtActions) -> tuple[ActionVocabulary, list[Route]]:
        names = tuple(dict.fromkeys((*self._trained.names, *taught.actions)))
        scorers = self._fitted(taught)
        routes: list[Route] = [
            scorers[name] if name in scorers else self._trained.index(name) for name in names
        ]
        aliases: Mapping[str, str] = self._trained.aliases
        return vocabulary_from_mapping(names, aliases), routes

    def _fitted(self, taught: TaughtActions) -> dict[str, TaughtScorer]:
        """Scorers of all actions; those of actions that have not changed are kept."""
        fitted: dict[str, tuple[object, TaughtScorer]] = {}
        for name, action in taught.actions.items():
            known = self._scorers.get(name)
            if known is not None and known[0] is action.exemplars:
                fitted[name] = known
                continue
            generic = generic_background(self.features.identity)
            threshold = self._grounder.regions.threshold
            scorer = TaughtScorer(action.exemplars, generic, threshold, self._config)
            fitted[name] = (action.exemplars, scorer)
        self._scorers = fitted
        return {name: scorer for name, (_, scorer) in fitted.items()}


def require_free(name: str, trained: ActionVocabulary, override: bool) -> None:
    """Refuse a name that means something to the trained model already, unless that is wanted.

    Args:
        name: as it is kept.
        trained: vocabulary of the model.
        override: whether the name may take the place of a trained one.

    Raises:
        TeachingError: the name is a trained action or another word for one.
    """
    meant = trained.find(name)
    if meant is None or override:
        return
    said = f"action {name!r}" if meant == name else f"{name!r}, another word for {meant!r},"
    raise TeachingError(
        f"{said} is in the model's own vocabulary; choose another name, or say that the taught "
        "action shall take its place (--override, override: true)"
    )


def _printable(text: str, limit: int = 120) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:limit])
