"""The one interface of all grounders: image and action in, heatmap and regions out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.actions.resolution import ActionResolution
from affordance_grounding_core.actions.resolver import resolve_action
from affordance_grounding_core.actions.similarity import ActionSimilarity
from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.looks import (
    Looks,
    larger,
    mean_of_turns,
    merge,
    to_look_at_again,
)
from affordance_grounding_core.inference.preprocess import ImageGeometry, Preprocess
from affordance_grounding_core.inference.regions import RegionConfig, extract_regions
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_core.inference.runtime import HeatRuntime, RuntimeReport
from affordance_grounding_core.inference.turn import (
    ImageTurn,
    maps_as_taken,
    regions_as_taken,
    upright,
)


@dataclass(frozen=True)
class ModelInformation:
    """What a grounder is, for logs, messages and reports.

    Attributes:
        name: name or folder it was loaded by.
        method: training method, for example "action_head".
        fingerprint: sha256 of the checkpoint, weights and config, hexadecimal.
    """

    name: str
    method: str
    fingerprint: str


class Grounder:
    """Answers where in an image an action happens.

    Made by `load_grounder`. Calls must come from one thread at a time.

    Args:
        runtime: runs the network.
        preprocess: from camera image to network input and back.
        vocabulary: the actions in the order of the network's channels.
        regions: thresholds that hold where a call gives none.
        information: what the model is.
        similarity: finds the action that free text means; None where the model brings no text
            encoder.

    Attributes:
        looks: looks at a picture, "1", "2", "auto" or "turns"; see `inference.looks`.
        image_turn: degrees counterclockwise that bring a picture upright, 0, 90, 180 or 270: the
            network sees it upright, answers are of the picture's own pixels; see `inference.turn`.
    """

    looks: Looks = "1"
    image_turn: ImageTurn = 0

    def __init__(
        self,
        runtime: HeatRuntime,
        preprocess: Preprocess,
        vocabulary: ActionVocabulary,
        regions: RegionConfig,
        information: ModelInformation,
        similarity: ActionSimilarity | None = None,
    ) -> None:
        self._runtime = runtime
        self.preprocess = preprocess
        self.vocabulary = vocabulary
        self.regions = regions
        self.information = information
        self.similarity = similarity

    @property
    def actions(self) -> tuple[str, ...]:
        """The vocabulary."""
        return self.vocabulary.names

    @property
    def runtime(self) -> str:
        """Runtime, device and precision, for example "eager-cpu-fp32"."""
        return self._runtime.description

    def resolve(self, command: str) -> ActionResolution:
        """Find the action that a command means: a name, another word for it, or a phrase.

        Args:
            command: for example "hold", "grasp" or "grab the mug by its handle".

        Returns:
            The entry of the vocabulary, how it was found, and how sure that is.

        Raises:
            UnknownActionError: the model cannot be asked for it; the message says why and
                names the closest entries.
        """
        return resolve_action(command, self.vocabulary, self.similarity)

    def heatmaps(self, image: RgbImage, actions: Sequence[str]) -> NDArray[np.float32]:
        """Ground several actions in one image, without extracting regions.

        Args:
            image: as the camera or a file gave it.
            actions: K names of the vocabulary, or what `resolve` understands.

        Returns:
            (K, H, W) float32 in [0, 1], comparable between frames.

        Raises:
            InvalidImageError: not an (H, W, 3) uint8 array, or without pixels.
            UnknownActionError: an action does not resolve.
            ValueError: no action.
            RuntimeError: the network returned values that are not finite.
        """
        turn = self.image_turn
        heat, _ = self._look(_seen(image, turn), actions, self.regions.threshold)
        return maps_as_taken(heat, turn)

    def _look(
        self, image: NDArray[np.uint8], actions: Sequence[str], threshold: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Heat of some actions and their part masks in an upright image.

        Both are (K, H, W) float32; the masks are None where the model draws none.
        """
        if not len(actions):
            raise ValueError(
                f"actions must name at least one action, got none; expected some of "
                f"{list(self.actions)}"
            )
        indices = [self.vocabulary.index(self.resolve(action).action) for action in actions]
        maps = self._first_maps(image, indices)
        again = to_look_at_again(maps[: len(indices)], threshold, self.looks)
        if again:
            second = self._maps(image, larger(self.preprocess), [indices[place] for place in again])
            merge(maps, second, again)
        heat, masks = maps[: len(indices)], maps[len(indices) :]
        return heat, masks if len(masks) else None

    def _first_maps(self, image: NDArray[np.uint8], indices: Sequence[int]) -> NDArray[np.float32]:
        """Maps of the first look, or the mean of those of all four turns of the image."""
        first = self._maps(image, self.preprocess, indices)
        if self.looks != "turns":
            return first
        turned = (
            maps_as_taken(self._maps(upright(image, turn), self.preprocess, indices), turn)
            for turn in get_args(ImageTurn)[1:]
        )
        return mean_of_turns(first, turned, len(indices))

    def _maps(
        self, image: NDArray[np.uint8], preprocess: Preprocess, indices: Sequence[int]
    ) -> NDArray[np.float32]:
        """Maps of one look in the pixels of the upright image; see `ImageMaps.values`."""
        answer = self._runtime.image_maps(image, preprocess, indices)
        if not answer.is_finite:
            raise RuntimeError(
                f"model {self.information.name!r} on {self.runtime} returned heat that is not "
                "finite; expected values in [0, 1]. The frame is refused: try another runtime "
                "or precision, or load the checkpoint again"
            )
        return answer.values

    def evaluation_maps(
        self, image: RgbImage, actions: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the maps that the method's paper scores, from input as in the paper.

        They are coarse, of any sign and scale, and not comparable between frames: for
        evaluation only.

        Args:
            image: as the camera or a file gave it.
            actions: K names of the vocabulary, or what `resolve` understands.

        Returns:
            (K, rows, columns) float32 by name, for example "class_map", over the image as it
            was given. Empty where the method has no maps beside its heat, or the runtime runs a
            graph that leaves them out.

        Raises:
            InvalidImageError: not an (H, W, 3) uint8 array, or without pixels.
            UnknownActionError: an action does not resolve.
        """
        if not len(actions):
            return {}
        indices = [self.vocabulary.index(self.resolve(action).action) for action in actions]
        turn = self.image_turn
        pixels = self.preprocess.as_published(_seen(image, turn))
        maps = self._runtime.evaluation_maps(pixels, indices)
        return {name: maps_as_taken(values, turn) for name, values in maps.items()}

    def ground(
        self,
        image: RgbImage,
        action: str,
        *,
        threshold: float | None = None,
        regions: RegionConfig | None = None,
    ) -> GroundingResult:
        """Ground one action in one image.

        Args:
            image: as the camera or a file gave it.
            action: a name of the vocabulary, or what `resolve` understands.
            threshold: heat at or above which a pixel can belong to a region, in (0, 1];
                the model's where None.
            regions: how regions are extracted; the model's where None.

        Returns:
            Heatmap, mask and regions of the image's own size.

        Raises:
            InvalidImageError: not an (H, W, 3) uint8 array, or without pixels.
            UnknownActionError: the action does not resolve.
            ValueError: a threshold outside (0, 1].
            RuntimeError: the network returned values that are not finite.
        """
        (result,) = self.ground_several(image, [action], threshold=threshold, regions=regions)
        return result

    def ground_several(
        self,
        image: RgbImage,
        actions: Sequence[str],
        *,
        threshold: float | None = None,
        regions: RegionConfig | None = None,
    ) -> list[GroundingResult]:
        """Ground several actions in one image; the backbone runs once for all of them.

        Args:
            image: as the camera or a file gave it.
            actions: names of the vocabulary, or what `resolve` understands; at least one.
            threshold: heat from which a pixel can belong to a region; see `ground`.
            regions: how regions are extracted; see `ground`.

        Returns:
            One result an action, in their order. `seconds` of each is its share of the
            preprocessing and the network plus the time of its own regions.

        Raises:
            InvalidImageError: not an (H, W, 3) uint8 array, or without pixels.
            UnknownActionError: an action does not resolve.
            ValueError: no action, or a threshold outside (0, 1].
            RuntimeError: the network returned values that are not finite.
        """
        started = time.perf_counter()
        options = regions or self.regions
        if threshold is not None:
            options = options.with_threshold(threshold)
        resolutions = [self.resolve(action) for action in actions]
        names = [resolution.action for resolution in resolutions]
        turn = self.image_turn
        seen = _seen(image, turn)
        heatmaps, masks = self._look(seen, names, options.threshold)
        share = (time.perf_counter() - started) / len(resolutions)
        return [
            _result(seen, turn, heatmap, mask, resolution, options, share)
            for heatmap, mask, resolution in zip(
                heatmaps,
                [None] * len(heatmaps) if masks is None else masks,
                resolutions,
                strict=True,
            )
        ]

    @property
    def runtime_report(self) -> RuntimeReport | None:
        """What answers and why: gate figures, what was tried; None for plain PyTorch."""
        return self._runtime.report

    def use_runtime(self, make: Callable[[HeatRuntime], HeatRuntime]) -> None:
        """Put another runtime in place of the present one.

        Args:
            make: takes the present runtime and returns the one that answers from now on.
        """
        self._runtime = make(self._runtime)

    def warm_up(self, height: int = 480, width: int = 640, *, wait: bool = True) -> None:
        """Run the network once on a grey image, so that the first frame is as fast as the rest.

        Where the runtime needs an engine for this size of image, it is loaded or built.

        Args:
            height: height of the images that will come, in px.
            width: width of the images that will come, in px.
            wait: whether an engine that has to be built is built now; otherwise that begins,
                and PyTorch answers meanwhile.
        """
        image = _seen(np.full((height, width, 3), 127, np.uint8), self.image_turn)
        looked_at = [(image, self.preprocess)]
        if self.looks == "turns":
            looked_at.insert(0, (upright(image, 90), self.preprocess))
        elif self.looks != "1":
            looked_at.insert(0, (image, larger(self.preprocess)))
        for seen, preprocess in looked_at:
            geometry = preprocess.geometry(*seen.shape[:2])
            self._runtime.prepare(geometry.input_height, geometry.input_width, wait=wait)
            self._maps(seen, preprocess, [0])

    def geometry(self, height: int, width: int) -> ImageGeometry:
        """Place an image of a size, turned upright, in the network input.

        Args:
            height: height of the image as it is taken, in px.
            width: width of the image as it is taken, in px.
        """
        is_sideways = self.image_turn in (90, 270)
        return self.preprocess.geometry(*((width, height) if is_sideways else (height, width)))

    def close(self) -> None:
        """Free the memory of the model; the grounder cannot be used afterwards."""
        self._runtime.close()


def _seen(image: RgbImage, turn: ImageTurn) -> RgbImage:
    """An image as the network sees it, upright; what is no image is refused."""
    check_image(image)
    return upright(image, turn)


def _result(
    seen: RgbImage,
    turn: ImageTurn,
    heatmap: NDArray[np.float32],
    part_mask: NDArray[np.float32] | None,
    resolution: ActionResolution,
    options: RegionConfig,
    seconds: float,
) -> GroundingResult:
    """Answer for one action; all that is given is upright, the result as the image was taken."""
    started = time.perf_counter()
    found, mask = extract_regions(heatmap, options, part_mask, seen)
    height, width = mask.shape
    return GroundingResult(
        heatmap=maps_as_taken(heatmap, turn),
        mask=maps_as_taken(mask, turn),
        regions=regions_as_taken(found, turn, height, width),
        action=resolution.action,
        score=float(heatmap.max()),
        threshold=options.threshold,
        found=bool(found),
        seconds=seconds + time.perf_counter() - started,
        resolution=resolution,
    )


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is not an RGB image.

    Raises:
        InvalidImageError: not an (H, W, 3) uint8 array, or without pixels.
    """
    if not isinstance(image, np.ndarray):
        raise InvalidImageError(
            f"image must be a numpy array of shape (H, W, 3) and type uint8, got "
            f"{type(image).__name__}"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InvalidImageError(
            f"image must have shape (H, W, 3) and type uint8 (RGB), got shape {image.shape} and "
            f"type {image.dtype}; convert it with cv2.cvtColor or numpy first"
        )
    if min(image.shape[:2]) == 0:
        raise InvalidImageError(f"image must have pixels, got shape {image.shape}")
