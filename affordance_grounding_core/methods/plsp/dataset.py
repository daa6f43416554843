"""Datasets of WSAG-PLSP: training samples and whole images, as pixels or cached tokens."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.data.feature_store import (
    ContentDigests,
    FeatureStore,
    Wanted,
    fill,
    identity_key,
)
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.inference.preprocess import resize_image
from affordance_grounding_core.methods.plsp.encoders import Dinov2Tokens
from affordance_grounding_core.methods.plsp.samples import (
    PartSample,
    People,
    Person,
    PlspViewConfig,
    ViewPlan,
    draw_view,
    view_image,
    view_label,
)
from affordance_grounding_core.training.scored_data import EpochIndex
from affordance_grounding_core.training.scored_images import LabelledImage

WantedTokens = Wanted[torch.Tensor]
"""A view whose tokens are wanted: (3, h, w) float32."""


class TokenCache:
    """Tokens by view.

    Args:
        folder: folder above all caches.
        encoder: frozen, on the device to compute on.
        input_format: format of the encoder's input.
    """

    def __init__(self, folder: Path, encoder: Dinov2Tokens, input_format: InputFormat) -> None:
        key = identity_key(
            {
                "encoder": tensor_fingerprint(encoder.state_dict()),
                "precision": encoder.precision,
                "input": asdict(input_format),
            }
        )
        shape = (1 + input_format.cells**2, encoder.output_width)
        self._encoder: Dinov2Tokens | None = encoder
        self._store = FeatureStore(folder / "plsp" / key, {"tokens": shape})

    def __contains__(self, key: str) -> bool:
        return key in self._store

    def fill(self, wanted: Sequence[WantedTokens]) -> None:
        """Compute what is not there yet; may be interrupted and called again.

        Raises:
            DatasetError: the disk is full or the folder cannot be written.
        """
        fill(self._store, wanted, self._describe)

    @torch.inference_mode()
    def _describe(
        self, keys: Sequence[str], views: Sequence[torch.Tensor]
    ) -> dict[str, NDArray[np.float16]]:
        if self._encoder is None:
            raise RuntimeError(f"tokens of {keys[0]} are not cached; call `fill` before training")
        device = next(self._encoder.parameters()).device
        tokens = self._encoder(torch.stack(list(views)).to(device))
        return {"tokens": tokens.float().cpu().numpy().astype(np.float16)}

    def read(self, key: str) -> NDArray[np.float16]:
        """Return (1 + N, width) tokens.

        Raises:
            KeyError: they were never computed.
        """
        return self._store.read(key)["tokens"]

    def __getstate__(self) -> dict[str, object]:
        # Workers read and never compute.
        return self.__dict__ | {"_encoder": None}


logger = logging.getLogger(__name__)

Item = dict[str, Any]
"""Tensors by name, and lists of texts after collation."""

_ATTEMPTS = 20


@dataclass(frozen=True)
class InputFormat:
    """How the encoder wants its input.

    Attributes:
        size: side of the square in px.
        patch_size: side of a patch in px.
        mean: mean of each RGB channel in [0, 1], which is subtracted.
        std: standard deviation of each RGB channel, which pixels are divided by.
    """

    size: int
    patch_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def cells(self) -> int:
        """Patches along a side."""
        return self.size // self.patch_size

    def pixels(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """Normalise (h, w, 3) uint8 RGB to (3, h, w) float32."""
        values = torch.from_numpy(np.ascontiguousarray(image)).float() / 255.0
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return ((values - mean) / std).permute(2, 0, 1).contiguous()

    def squashed(self, file: Path) -> torch.Tensor:
        """Read a whole image, stretched to the square, (3, size, size) float32.

        Raises:
            InvalidImageError: it cannot be read.
        """
        return self.pixels(resize_image(read_rgb(file), self.size, self.size))


class PartImages(Dataset[Item]):
    """Part labels under random views, each with people using such an object.

    Without a cache a sample is seen under a new view in every epoch; with one, under one of a
    fixed number of views.

    Args:
        samples: samples to train on.
        people: who may stand beside them; every sample has somebody, unless `exocentric` is 0.
        actions: vocabulary.
        views: views of the images.
        input_format: format of the input of the encoder.
        exocentric: images of people beside each sample.
        companions: object class to the images that may share a mosaic with it.
        seed: seed of everything random, but not of the cached views, which are the same for all.
        cache: cache of the frozen encoder's tokens, or None.
        cached_views: views of an image in it.

    Attributes:
        objects: object classes, sorted; a sample says its number.
        pairs: (action, object), sorted.
    """

    def __init__(
        self,
        samples: Sequence[PartSample],
        people: People,
        actions: Sequence[str],
        views: PlspViewConfig,
        input_format: InputFormat,
        exocentric: int,
        companions: Mapping[str, Sequence[Path]],
        seed: int,
        cache: TokenCache | None = None,
        cached_views: int = 4,
    ) -> None:
        self.samples = tuple(samples)
        self.people = people
        self.actions = tuple(actions)
        self.views = views
        self.input_format = input_format
        self.exocentric = exocentric
        self.seed = seed
        self.cache = cache
        self.cached_views = cached_views
        self.objects = sorted({sample.object_name for sample in samples})
        self.pairs = sorted({(sample.action, sample.object_name) for sample in samples})
        self._irrelevant = {name: companions.get(name, ()) for name in self.objects}
        self._digests = ContentDigests()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: EpochIndex) -> Item:
        """Return a sample.

        Args:
            place: epoch and number of the sample.

        Returns:
            "pixels" (3, s, s) or "tokens" (1 + N, C); "label" (1, s, s), a distribution;
            "action", "object" and "pair" numbers; with people also "people_pixels" (E, 3, s,
            s) or "people_tokens" (E, 1 + N, C), and "object_masks" (E, N); "files", one line
            each, and "replaced", the number of unreadable images that others stand in for.

        Raises:
            DatasetError: hardly any sample of the class can be read.
        """
        random = np.random.default_rng((self.seed, place.epoch, place.sample))
        number = place.sample
        for attempt in range(_ATTEMPTS):
            sample = self.samples[number]
            try:
                item = self._sample(sample, random)
            except (InvalidImageError, DatasetError) as error:
                logger.warning("Skipped, another of its class stands in: %s", error)
                number = self._another(sample, random)
                continue
            return item | {"replaced": int(attempt > 0)}
        raise DatasetError(
            f"hardly any image of {sample.action}/{sample.object_name} can be read, {_ATTEMPTS} "
            "draws failed, named above. Run `affordance-grounding data check --thorough`"
        )

    def wanted(self) -> list[WantedTokens]:
        """All views that training from the cache looks at."""
        wanted = []
        for sample in self.samples:
            for number in range(self.cached_views):
                plan = self._cached_plan(sample, number)
                files = self._companions(sample, plan)
                look = partial(self._view_pixels, sample, plan, files)
                wanted.append(WantedTokens(self._view_key(sample, plan, files), look))
        if self.exocentric:
            wanted += [self.wanted_whole(file) for file in self.people.files()]
        return wanted

    def wanted_whole(self, file: Path) -> WantedTokens:
        """The view of a whole image."""
        return WantedTokens(self.whole_key(file), partial(self.input_format.squashed, file))

    def whole_key(self, file: Path) -> str:
        """What a whole image is cached by."""
        return f"{self._digests.of(file)}/whole"

    def _sample(self, sample: PartSample, random: np.random.Generator) -> Item:
        count = len(self._irrelevant[sample.object_name])
        if self.cache is None:
            plan = draw_view(self.views, count, random)
        else:
            plan = self._cached_plan(sample, int(random.integers(self.cached_views)))
        companions = self._companions(sample, plan)
        item: Item = {
            "label": torch.from_numpy(view_label(plan, self.views, sample.label()))[None],
            "action": self.actions.index(sample.action),
            "object": self.objects.index(sample.object_name),
            "pair": self.pairs.index((sample.action, sample.object_name)),
        }
        if self.cache is None:
            item["pixels"] = self._view_pixels(sample, plan, companions)
        else:
            key = self._view_key(sample, plan, companions)
            item["tokens"] = torch.from_numpy(self.cache.read(key))
        chosen = self._draw_people(sample, random)
        files = (sample.image, *companions, *(person.image for person in chosen))
        return item | self._beside(chosen) | {"files": "\n".join(map(str, files))}

    def _draw_people(self, sample: PartSample, random: np.random.Generator) -> list[Person]:
        if not self.exocentric:
            return []
        people = self.people.beside(sample)
        return [people[int(i)] for i in random.integers(len(people), size=self.exocentric)]

    def _beside(self, people: Sequence[Person]) -> Item:
        if not people:
            return {}
        cells = self.input_format.cells
        masks = np.stack([person.patches(cells, cells) for person in people])
        beside: Item = {"object_masks": torch.from_numpy(masks)}
        if self.cache is None:
            views = [self.input_format.squashed(person.image) for person in people]
            return beside | {"people_pixels": torch.stack(views)}
        tokens = [self.cache.read(self.whole_key(person.image)) for person in people]
        return beside | {"people_tokens": torch.from_numpy(np.stack(tokens))}

    def _view_pixels(
        self, sample: PartSample, plan: ViewPlan, companions: Sequence[Path]
    ) -> torch.Tensor:
        others = [read_rgb(file) for file in companions]
        view = view_image(plan, self.views, read_rgb(sample.image), others)
        return self.input_format.pixels(view)

    def _companions(self, sample: PartSample, plan: ViewPlan) -> tuple[Path, ...]:
        irrelevant = self._irrelevant[sample.object_name]
        return tuple(irrelevant[place] for place in plan.companions)

    def _cached_plan(self, sample: PartSample, number: int) -> ViewPlan:
        """The view of a number, the same under every action that the image stands under."""
        digest = int(self._digests.of(sample.image)[:15], 16)
        random = np.random.default_rng((0, digest, number))
        return draw_view(self.views, len(self._irrelevant[sample.object_name]), random)

    def _view_key(self, sample: PartSample, plan: ViewPlan, companions: Sequence[Path]) -> str:
        shown = [self._digests.of(file) for file in (sample.image, *companions)]
        content = [shown, astuple(plan)[:4], self.views.resize, self.views.crop]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _another(self, sample: PartSample, random: np.random.Generator) -> int:
        same = [
            number
            for number, other in enumerate(self.samples)
            if (other.action, other.object_name) == (sample.action, sample.object_name)
        ]
        return int(random.choice(same))


class WholeImages(Dataset[Item]):
    """Whole images, squashed, with ground truth where wanted.

    Args:
        images: images to look at; all readable.
        training: knows the input, the vocabulary and the cache.
    """

    def __init__(self, images: Sequence[LabelledImage], training: PartImages) -> None:
        self.images = tuple(images)
        self._training = training

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Item:
        """Return an image.

        Returns:
            "pixels" (3, s, s) or "tokens" (1 + N, C), "action", "index", and "ground_truth"
            (224, 224) float64 where the image has one.
        """
        image, training = self.images[index], self._training
        item: Item = {"action": training.actions.index(image.action), "index": index}
        if image.label is not None:
            item["ground_truth"] = torch.from_numpy(image.ground_truth())
        if training.cache is None:
            return item | {"pixels": training.input_format.squashed(image.image)}
        tokens = training.cache.read(training.whole_key(image.image))
        return item | {"tokens": torch.from_numpy(tokens)}

    def wanted(self) -> list[WantedTokens]:
        """All views that are looked at."""
        return [self._training.wanted_whole(image.image) for image in self.images]
