"""How a hand meets an object: signed distances, contacts, penetration. Numpy and scipy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

TOUCH_METRES = 0.004
_VOTES = 4


@dataclass(frozen=True)
class PointSurface:
    """A surface as points with normals, near enough to each other to stand for it.

    Attributes:
        points: (N, 3) in metres.
        normals: (N, 3), unit length, out of the body.
        parts: (N,) uint8, the part each point belongs to.
    """

    points: Array
    normals: Array
    parts: NDArray[np.uint8]

    @cached_property
    def tree(self) -> cKDTree:
        """Index of the points."""
        return cKDTree(self.points)

    def signed_distance(self, places: Array) -> Array:
        """Distance of places to the surface.

        Args:
            places: (M, 3).

        Returns:
            (M,) metres, negative inside; exact to about half the spacing of the points.
        """
        distance, index = self.tree.query(places, k=min(_VOTES, len(self.points)))
        distance = distance.reshape(len(places), -1)
        index = index.reshape(len(places), -1)
        offset = places[:, None, :] - self.points[index]
        height = np.einsum("ijk,ijk->ij", offset, self.normals[index])
        # Beside the nearest point the plane through it is closer than the point itself.
        size = np.where(distance[:, 0] < 0.004, np.abs(height[:, 0]), distance[:, 0])
        # Near an edge the nearest point alone may lie on the wrong face.
        inside = (height < 0).mean(axis=1) > 0.5
        return np.asarray(np.where(inside, -size, size))

    def near(self, centre: Array, radius: float) -> PointSurface:
        """The points within a radius."""
        keep = np.linalg.norm(self.points - centre, axis=1) < radius
        return PointSurface(self.points[keep], self.normals[keep], self.parts[keep])

    def of_parts(self, ids: Sequence[int]) -> PointSurface:
        """The points of some parts."""
        keep = np.isin(self.parts, list(ids))
        return PointSurface(self.points[keep], self.normals[keep], self.parts[keep])


class Distances(Protocol):
    """Whatever tells how far places are from a surface."""

    def signed_distance(self, places: Array) -> Array:
        """Metres for (M, 3) places, (M,), negative inside."""


class DistanceGrid:
    """Signed distances at the nodes of a grid: less exact than the surface, far quicker.

    Args:
        surface: what is measured.
        centre: (3,) of the grid.
        half: half its width in metres; places outside get the value of the nearest border.
        cell: distance of the nodes in metres.
    """

    def __init__(
        self, surface: PointSurface, centre: Array, half: float = 0.12, cell: float = 0.006
    ) -> None:
        count = int(np.ceil(2 * half / cell)) + 1
        self._origin = centre - half
        self._cell = cell
        lines = np.arange(count) * cell
        nodes = np.stack(np.meshgrid(lines, lines, lines, indexing="ij"), axis=-1)
        places = nodes.reshape(-1, 3) + self._origin
        distance, nearest = surface.tree.query(places)
        offset = places - surface.points[nearest]
        inside = np.einsum("ij,ij->i", offset, surface.normals[nearest]) < 0
        values = np.where(inside, -distance, distance)
        close = distance < 2 * cell  # elsewhere the nearest point alone tells enough
        values[close] = surface.signed_distance(places[close])
        self._values = values.reshape(count, count, count)

    def signed_distance(self, places: Array) -> Array:
        """Interpolate between the nodes, (M, 3) to (M,) metres."""
        where = ((places - self._origin) / self._cell).T
        return np.asarray(map_coordinates(self._values, where, order=1, mode="nearest"))


def outward(
    vertices: Array, faces: Sequence[Sequence[int]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split faces into triangles that show their front outwards.

    Args:
        vertices: (V, 3).
        faces: indices of the corners of each face.

    Returns:
        Triangles (T, 3) and the face (T,) each came from. A connected piece whose faces enclose
        a negative volume is turned inside out.
    """
    triangles, source = [], []
    for number, face in enumerate(faces):
        for second, third in pairwise(face[1:]):
            triangles.append((face[0], second, third))
            source.append(number)
    mesh = np.asarray(triangles, dtype=np.int64)
    ones = np.ones(2 * len(mesh))
    rows, columns = mesh[:, [0, 1]].ravel(), mesh[:, [1, 2]].ravel()
    graph = coo_matrix((ones, (rows, columns)), shape=(len(vertices), len(vertices)))
    _, piece_of_vertex = connected_components(graph, directed=False)
    piece = piece_of_vertex[mesh[:, 0]]
    corners = vertices[mesh]
    for number in np.unique(piece):
        own = piece == number
        local = corners[own] - corners[own].mean(axis=(0, 1))
        volume = np.einsum("ij,ij->", local[:, 0], np.cross(local[:, 1], local[:, 2]))
        if volume < 0:
            mesh[own] = mesh[own][:, ::-1]
    return mesh, np.asarray(source, dtype=np.int64)


def sample_surface(
    vertices: Array,
    faces: Sequence[Sequence[int]],
    parts: NDArray[np.uint8],
    spacing: float,
    random: np.random.Generator,
) -> PointSurface:
    """Scatter points over a mesh.

    Args:
        vertices: (V, 3) in metres.
        faces: indices of the corners of each face.
        parts: (F,) part of each face.
        spacing: about how far the points lie from each other, in metres.
        random: where they fall.

    Returns:
        The points, at least one on every triangle that has an area.
    """
    mesh, source = outward(vertices, faces)
    corners = vertices[mesh]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1) / 2
    keep = area > 1e-12
    corners, normal, area, source = corners[keep], normal[keep], area[keep], source[keep]
    wanted = area / spacing**2
    count = np.floor(wanted + random.random(len(area))).astype(int)
    triangle = np.repeat(np.arange(len(area)), np.maximum(count, 1))
    first, second = random.random((2, len(triangle)))
    flip = first + second > 1
    first[flip], second[flip] = 1 - first[flip], 1 - second[flip]
    base = corners[triangle]
    points = (
        base[:, 0]
        + first[:, None] * (base[:, 1] - base[:, 0])
        + second[:, None] * (base[:, 2] - base[:, 0])
    )
    unit = normal / (2 * area[:, None])
    return PointSurface(points, unit[triangle], parts[source][triangle])


def hand_surface(vertices: Array, triangles: NDArray[np.int64]) -> PointSurface:
    """Turn a posed hand into points: its vertices' and triangles' middles."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    at_vertex = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(at_vertex, triangles[:, corner], normal)
    points = np.concatenate([vertices, corners.mean(axis=1)])
    normals = np.concatenate([at_vertex, normal])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-15
    return PointSurface(points, normals, np.zeros(len(points), np.uint8))


def depth_inside(body: PointSurface, points: Array) -> float:
    """How deep the deepest of some points lies in a body, in metres; 0 where none does.

    Thin walls show here: a hand through the side of a cup has no vertex deep in the clay, yet
    the clay lies deep in the hand.
    """
    if not len(points):
        return 0.0
    low, high = body.points.min(axis=0), body.points.max(axis=0)
    close = points[np.all((points > low) & (points < high), axis=1)]
    if not len(close):
        return 0.0
    return max(0.0, float(-body.signed_distance(close).min()))
