"""A plain head and a plain seated person, for pictures in which a mouth or a body acts.

They are smooth dolls, not likenesses; they show where a person is in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import Mesh, merge, moved, revolve, sweep, turn_matrix
from render_affordances.meshes.model import Array


@dataclass(frozen=True)
class BodyPiece:
    """A piece of a person.

    Attributes:
        vertices: (V, 3) in metres.
        faces: corners of each face.
        kind: "skin", "hair" or "cloth".
    """

    vertices: Array
    faces: tuple[tuple[int, ...], ...]
    kind: str

    def placed(self, rotation: Array, shift: Array) -> BodyPiece:
        """The piece turned about the origin, then shifted."""
        return BodyPiece(self.vertices @ rotation.T + shift, self.faces, self.kind)


def build_head(random: Generator) -> tuple[BodyPiece, ...]:
    """A head with neck and shoulders that looks along +x; its lips are at the origin."""
    size = float(random.uniform(0.92, 1.06))
    skull = _egg((-0.085, 0, 0.06), (0.098, 0.076, 0.125))
    jaw = _egg((-0.055, 0, -0.005), (0.062, 0.052, 0.06))
    nose = _egg((0.004, 0, 0.036), (0.02, 0.014, 0.024))
    upper, lower = (
        _egg((-0.001, 0, 0.004), (0.01, 0.024, 0.006)),
        _egg((-0.002, 0, -0.007), (0.01, 0.02, 0.007)),
    )
    ears = [_egg((-0.09, side * 0.076, 0.045), (0.018, 0.008, 0.03)) for side in (-1, 1)]
    neck = sweep([(-0.095, 0, 0.0), (-0.11, 0, -0.07), (-0.12, 0, -0.14)], 0.055, 24)
    skin = merge(skull, jaw, nose, upper, lower, *ears, neck)
    shoulders = sweep(
        [(-0.13, -0.2, -0.22), (-0.13, -0.1, -0.17), (-0.13, 0.1, -0.17), (-0.13, 0.2, -0.22)],
        np.array([[0.07, 0.07], [0.09, 0.09], [0.09, 0.09], [0.07, 0.07]]),
        24,
        up=(0, 0, 1),
    )
    chest = sweep(
        [(-0.13, 0, -0.16), (-0.12, 0, -0.4)],
        np.array([[0.1, 0.17], [0.11, 0.17]]),
        28,
        up=(1, 0, 0),
    )
    hair = _egg((-0.098, 0, 0.085), (0.1, 0.083, 0.118 * float(random.uniform(0.95, 1.05))))
    pieces = [_piece(skin, "skin"), _piece(merge(shoulders, chest), "cloth")]
    if random.random() < 0.85:
        pieces.append(_piece(hair, "hair"))
    return tuple(piece.placed(np.eye(3) * size, np.zeros(3)) for piece in pieces)


def build_seated(random: Generator) -> tuple[BodyPiece, ...]:
    """A person sitting on the origin, knees towards -y, thighs just above z = 0."""
    size = float(random.uniform(0.88, 1.0))
    apart = float(random.uniform(0.07, 0.12))
    drop = float(random.uniform(0.4, 0.46))
    lean = float(random.normal(0, 8))
    legs, shoes = [], []
    for side in (-1, 1):
        knee = np.array([side * (apart + 0.02), -0.44, 0.07])
        foot = np.array([side * apart, -0.44 + float(random.uniform(-0.12, 0.1)), 0.07 - drop])
        legs.append(
            sweep(
                np.array([(side * 0.08, 0.02, 0.08), (side * 0.1, -0.2, 0.08), knee]),
                [0.085, 0.08, 0.06],
                24,
                up=(0, 0, 1),
            )
        )
        legs.append(_egg(knee, (0.06, 0.06, 0.06)))
        legs.append(sweep([knee, (knee + foot) / 2, foot], [0.058, 0.055, 0.04], 24, up=(1, 0, 0)))
        shoes.append(_egg(foot + np.array([0, -0.06, -0.02]), (0.045, 0.12, 0.045)))
    pelvis = _egg((0, 0.03, 0.1), (0.17, 0.13, 0.1))
    spine = [(0, 0.05, 0.1), (0, 0.06, 0.3), (0, 0.05, 0.5), (0, 0.04, 0.56)]
    chest = sweep(
        spine, np.array([[0.11, 0.15], [0.11, 0.15], [0.12, 0.19], [0.07, 0.1]]), 28, up=(0, 1, 0)
    )
    arms, hands = [], []
    for side in (-1, 1):
        shoulder, elbow = np.array([side * 0.2, 0.05, 0.5]), np.array([side * 0.25, 0.0, 0.26])
        hand = np.array([side * float(random.uniform(0.08, 0.14)), -0.25, 0.17])
        arms += [_egg(shoulder, (0.065, 0.065, 0.065)), _egg(elbow, (0.045, 0.045, 0.045))]
        arms.append(sweep([shoulder, (shoulder + elbow) / 2, elbow], 0.05, 20, up=(0, 1, 0)))
        arms.append(
            sweep([elbow, (elbow + hand) / 2, hand], [0.044, 0.04, 0.032], 20, up=(0, 0, 1))
        )
        hands.append(_egg(hand + np.array([0, -0.05, 0]), (0.04, 0.08, 0.022)))
    face = turn_matrix("z", -90.0)
    head = [piece.placed(face, np.array([0, -0.07, 0.7])) for piece in build_head(random)]
    head = [piece for piece in head if piece.kind != "cloth"]
    torso = turn_matrix("x", -lean)
    upper = [_piece(merge(chest, *arms), "cloth"), _piece(merge(*hands), "skin"), *head]
    lower = [_piece(merge(pelvis, *legs), "trousers"), _piece(merge(*shoes), "hair")]
    pieces = [*(piece.placed(torso, np.zeros(3)) for piece in upper), *lower]
    return tuple(piece.placed(np.eye(3) * size, np.zeros(3)) for piece in pieces)


def _egg(centre: tuple[float, float, float] | Array, radii: tuple[float, float, float]) -> Mesh:
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20)
    radius = np.maximum(np.cos(angle), 0)
    radius[[0, -1]] = 0
    vertices, faces = revolve(np.stack([radius, np.sin(angle)], axis=1), 28)
    return moved((vertices * np.asarray(radii), faces), centre)


def _piece(mesh: Mesh, kind: str) -> BodyPiece:
    return BodyPiece(mesh[0], tuple(mesh[1]), kind)
