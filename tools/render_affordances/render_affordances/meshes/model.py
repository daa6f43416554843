"""What a modelled object is: its surfaces, the parts that afford actions, how it is gripped.

Pure numpy, so that objects can be built and tested without Blender. Every builder in `shapes`
has the signature `build(random: numpy.random.Generator) -> ObjectModel`; `shapes.catalogue`
lists them by class. Conventions:

- metres, z up, x to the right;
- an object that stands or lies is built in its usual resting pose with its lowest point at
  z = 0 and its footprint about the origin (`support` "table" or "floor");
- an object that is mounted (door, drawer, tap panel) shows its front towards -y; the wall, where
  one is drawn, is behind it at its largest y (`support` "wall").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SUPPORTS = ("table", "floor", "wall")
GRASPS = ("power", "pinch", "wrap", "push", "twist", "hook", "palm")
"""Ways a hand meets a part.

power: fingers closed around a bar (handle of a hammer, a mug, a pan).
pinch: thumb and fingers on a thin thing (pen, tea cup, small knob).
wrap: hand around a wide body (bottle, glass), thumb opposite the fingers.
push: tip of the stretched index finger, along minus the normal (button, switch).
twist: fingertips around a cap, knob or lid, along minus the normal, turning about the axis.
hook: bent fingers behind a bar and pulling along the normal (drawer, door handle).
palm: flat hand on a surface (seat, pump of a dispenser).
"""


@dataclass(frozen=True)
class Finish:
    """What a surface is made of; `materials` turns it into a shader.

    Attributes:
        kind: one of `FINISHES`.
        seed: of its colour, texture and roughness; surfaces that share kind and seed look alike.
    """

    kind: str
    seed: int

    def __post_init__(self) -> None:
        if self.kind not in FINISHES:
            raise ValueError(f"finish must be one of {list(FINISHES)}, got {self.kind!r}")


FINISHES = (
    "plastic",
    "dark_plastic",
    "rubber",
    "steel",
    "brushed_metal",
    "dark_metal",
    "brass",
    "painted_metal",
    "ceramic",
    "porcelain",
    "wood",
    "glass",
    "paint",
    "label",
    "cloth",
    "leather",
    "bristle",
    "screen",
    "bread",
    "fruit",
    "liquid",
    "daylight",
    "tiles",
    "leaf",
    "enamel",
    "fabric",
    "plaster",
)


@dataclass(frozen=True)
class Surface:
    """One mesh of one material.

    Attributes:
        vertices: (V, 3) float64, in metres.
        faces: indices of the corners of each face, 3 or more.
        part: (F,) uint8, the id of the part each face belongs to, 0 where it affords nothing.
        finish: its material.
        smooth: shade curved faces smoothly; edges sharper than 35 degrees stay sharp.
        bevel: width of rounded edges in metres, 0 for none (for boxes).
        scale: characteristic size in metres of what it belongs to, which its texture scales
            with; None for that of the whole object.
    """

    vertices: Array
    faces: tuple[tuple[int, ...], ...]
    part: NDArray[np.uint8]
    finish: Finish
    smooth: bool = True
    bevel: float = 0.0
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3:
            raise ValueError(f"vertices must have shape (V, 3), got {self.vertices.shape}")
        if self.part.shape != (len(self.faces),):
            raise ValueError(
                f"part must have one id for each of {len(self.faces)} faces, got "
                f"shape {self.part.shape}"
            )


@dataclass(frozen=True)
class Grip:
    """How a hand takes one part to do one action: the hint the exocentric pictures are made of.

    Attributes:
        grasp: one of `GRASPS`.
        point: (3,) where the hand meets the part: on the axis of a bar (power, hook, pinch) or
            of a body (wrap, twist), on the surface for push and palm.
        normal: (3,) unit vector out of the object, from where the hand comes.
        axis: (3,) unit vector along the part, square to the normal: along a handle, or the axis
            of a body (wrap); for twist and push any direction square to the normal, "up".
        width: diameter of the part there, in metres.
    """

    grasp: str
    point: Array
    normal: Array
    axis: Array
    width: float

    def __post_init__(self) -> None:
        if self.grasp not in GRASPS:
            raise ValueError(f"grasp must be one of {list(GRASPS)}, got {self.grasp!r}")
        for name in ("normal", "axis"):
            length = float(np.linalg.norm(getattr(self, name)))
            if abs(length - 1.0) > 1e-3:
                raise ValueError(f"{name} must have length 1, got {length}")


@dataclass(frozen=True)
class ToolEnd:
    """Where a tool acts on its target.

    Attributes:
        point: (3,) of the edge, face or spout that meets the target.
        direction: (3,) unit vector the tool is moved along when it acts (down the cut, into the
            nail, out of the spout).
        edge: (3,) unit vector along the acting edge or, for a spout or a face, across it.
        length: of the acting edge or face, in metres.
    """

    point: Array
    direction: Array
    edge: Array
    length: float


@dataclass(frozen=True)
class ObjectModel:
    """One instance of a class.

    Attributes:
        name: class, as in the folder names ("mug").
        family: shape family within the class ("tapered").
        surfaces: at least one.
        parts: name of a part to its id, 1 to 25; 0 is the rest of the object.
        affords: action to the names of the parts that afford it.
        grips: action to the grips that do it, at least one for every action in `affords`; for
            a tool that acts on something this is where it is held meanwhile.
        ends: action to where a tool acts on its target (cut_with, hit, pour, stir, brush_with,
            write); empty for other actions.
        support: what it rests on or hangs from, one of `SUPPORTS`.
        members: corners (8, 3) of the bounding box of each object of a composition; empty for a
            single object.
    """

    name: str
    family: str
    surfaces: tuple[Surface, ...]
    parts: Mapping[str, int]
    affords: Mapping[str, tuple[str, ...]]
    grips: Mapping[str, tuple[Grip, ...]]
    ends: Mapping[str, ToolEnd] = field(default_factory=dict)
    support: str = "table"
    members: tuple[Array, ...] = ()

    def __post_init__(self) -> None:
        if self.support not in SUPPORTS:
            raise ValueError(f"support must be one of {list(SUPPORTS)}, got {self.support!r}")
        ids = sorted(self.parts.values())
        if ids != list(range(1, len(ids) + 1)) or len(ids) > 25:
            raise ValueError(f"{self.name}: part ids must be 1 to {len(ids)}, at most 25: {ids}")
        for action, names in self.affords.items():
            unknown = sorted(set(names) - set(self.parts))
            if unknown or not names:
                raise ValueError(f"{self.name}: {action!r} names parts it lacks: {unknown}")
            if not self.grips.get(action):
                raise ValueError(f"{self.name}: {action!r} needs a grip")

    @property
    def vertices(self) -> Array:
        """All vertices, (V, 3) float64, surfaces one after another."""
        return np.concatenate([surface.vertices for surface in self.surfaces])

    @property
    def faces(self) -> tuple[tuple[int, ...], ...]:
        """All faces, indices into `vertices`."""
        faces: list[tuple[int, ...]] = []
        offset = 0
        for surface in self.surfaces:
            faces += [tuple(i + offset for i in face) for face in surface.faces]
            offset += len(surface.vertices)
        return tuple(faces)

    @property
    def face_parts(self) -> NDArray[np.uint8]:
        """Part id of every face, (F,) uint8."""
        return np.concatenate([surface.part for surface in self.surfaces])

    def part_ids(self, action: str) -> tuple[int, ...]:
        """Ids of the parts that afford an action.

        Raises:
            KeyError: the object does not afford it.
        """
        return tuple(self.parts[name] for name in self.affords[action])

    def part_vertices(self, *ids: int) -> Array:
        """Vertices of the faces of some parts, (N, 3) float64, each vertex once."""
        found = []
        for surface in self.surfaces:
            chosen = np.isin(surface.part, ids)
            used = {i for face, hit in zip(surface.faces, chosen, strict=True) if hit for i in face}
            found.append(surface.vertices[sorted(used)])
        return np.concatenate(found)
