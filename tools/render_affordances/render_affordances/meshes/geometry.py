"""Meshes from profiles, paths and outlines, as numpy arrays.

A mesh is a pair (vertices, faces): (V, 3) float64 in metres and tuples of corner indices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from render_affordances.meshes.model import Array

Mesh = tuple[Array, list[tuple[int, ...]]]

_POLE = 1e-7


def revolve(profile: ArrayLike, segments: int = 48) -> Mesh:
    """Turn a profile about the z axis.

    Args:
        profile: (K, 2) radius and height; a radius of 0 closes the surface in a point.
        segments: corners of each ring.
    """
    points = np.asarray(profile, dtype=np.float64)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    vertices: list[Array] = []
    rings: list[list[int]] = []
    count = 0
    for radius, height in points:
        if radius < _POLE:
            vertices.append(np.array([[0.0, 0.0, height]]))
            rings.append([count])
            count += 1
        else:
            ring = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
            vertices.append(np.column_stack([ring, np.full(segments, height)]))
            rings.append(list(range(count, count + segments)))
            count += segments
    faces: list[tuple[int, ...]] = []
    for lower, upper in itertools.pairwise(rings):
        faces += _strip(lower, upper, segments)
    return np.concatenate(vertices), faces


def _strip(lower: list[int], upper: list[int], segments: int) -> list[tuple[int, ...]]:
    if len(lower) == 1 and len(upper) == 1:
        return []
    faces: list[tuple[int, ...]] = []
    for j in range(segments):
        k = (j + 1) % segments
        if len(lower) == 1:
            faces.append((lower[0], upper[k], upper[j]))
        elif len(upper) == 1:
            faces.append((lower[j], lower[k], upper[0]))
        else:
            faces.append((lower[j], lower[k], upper[k], upper[j]))
    return faces


def sweep(
    path: ArrayLike,
    radius: ArrayLike,
    segments: int = 16,
    *,
    closed: bool = False,
    power: float = 1.0,
    up: Sequence[float] = (0.0, 1.0, 0.0),
) -> Mesh:
    """Move an ellipse along a path.

    Args:
        path: (K, 3) centres.
        radius: one number, (K,), or (K, 2) for two half axes: the first along `up` made square
            to the path, the second square to both.
        segments: corners of each ring.
        closed: join the last ring to the first; otherwise both ends are capped.
        power: exponent of the ellipse: 1 round, below 1 towards a rectangle.
        up: direction of the first half axis; must not run along the path.
    """
    centres = np.asarray(path, dtype=np.float64)
    count = len(centres)
    radii = _radii(radius, count)
    if closed:
        tangents = np.roll(centres, -1, axis=0) - np.roll(centres, 1, axis=0)
    else:
        tangents = np.gradient(centres, axis=0)
    tangents = tangents / (np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-12)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    first_arm = _signed_power(np.cos(angles), power)
    second_arm = _signed_power(np.sin(angles), power)
    fixed = np.asarray(up, dtype=np.float64)
    first = fixed - tangents * (tangents @ fixed)[:, None]
    first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-12
    second = np.cross(tangents, first)
    rings = (
        centres[:, None]
        + first[:, None] * (radii[:, :1] * first_arm)[..., None]
        + second[:, None] * (radii[:, 1:] * second_arm)[..., None]
    )
    faces = grid_faces(count, segments, closed=closed)
    if not closed:
        faces += [tuple(range(segments))[::-1]]
        faces += [tuple(range((count - 1) * segments, count * segments))]
    return rings.reshape(-1, 3), faces


def _radii(radius: ArrayLike, count: int) -> Array:
    given = np.asarray(radius, dtype=np.float64)
    if given.ndim == 1 and given.shape == (2,) and count != 2:
        given = np.broadcast_to(given, (count, 2))
    if given.ndim < 2:
        given = np.broadcast_to(given.reshape(-1, 1), (count, 2))
    return np.asarray(given, dtype=np.float64)


def _signed_power(values: Array, power: float) -> Array:
    return np.sign(values) * np.abs(values) ** power


def grid_faces(rows: int, columns: int, *, closed: bool = False) -> list[tuple[int, ...]]:
    """Quads between rings of vertices: `rows` rings of `columns` corners each."""
    faces: list[tuple[int, ...]] = []
    for i in range(rows if closed else rows - 1):
        following = (i + 1) % rows
        for j in range(columns):
            k = (j + 1) % columns
            low, high = i * columns, following * columns
            faces.append((low + j, low + k, high + k, high + j))
    return faces


def box(centre: ArrayLike, size: ArrayLike) -> Mesh:
    """Make a box from its centre and its edge lengths."""
    middle = np.asarray(centre, dtype=np.float64)
    half = np.asarray(size, dtype=np.float64) / 2
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    faces = [
        (0, 1, 3, 2),
        (4, 6, 7, 5),
        (0, 4, 5, 1),
        (2, 3, 7, 6),
        (0, 2, 6, 4),
        (1, 5, 7, 3),
    ]
    return middle + signs * half, list(faces)


def extrude(outline: ArrayLike, thickness: float) -> Mesh:
    """Give a flat outline a thickness.

    Args:
        outline: (K, 2) corners in the xy plane, without repeating the first.
        thickness: along z; the result lies between z = 0 and z = thickness.
    """
    points = np.asarray(outline, dtype=np.float64)
    count = len(points)
    low = np.column_stack([points, np.zeros(count)])
    high = np.column_stack([points, np.full(count, thickness)])
    faces: list[tuple[int, ...]] = [tuple(range(count))[::-1], tuple(range(count, 2 * count))]
    for j in range(count):
        k = (j + 1) % count
        faces.append((j, k, count + k, count + j))
    return np.concatenate([low, high]), faces


def blade(upper: ArrayLike, lower: ArrayLike, thickness: float) -> Mesh:
    """Make a wedge between two lines: thick along the upper one, sharp along the lower one.

    Args:
        upper: (K, 2) points of the back in the xy plane.
        lower: (K, 2) points of the edge.
        thickness: of the back, along z, about z = 0.
    """
    back, edge = np.asarray(upper, dtype=np.float64), np.asarray(lower, dtype=np.float64)
    half, thin = thickness / 2, thickness / 12
    rings = [
        [(*b, -half), (*b, half), (*e, thin), (*e, -thin)] for b, e in zip(back, edge, strict=True)
    ]
    faces = grid_faces(len(rings), 4)
    last = 4 * (len(rings) - 1)
    faces += [(3, 2, 1, 0), (last, last + 1, last + 2, last + 3)]
    return np.array(rings, dtype=np.float64).reshape(-1, 3), faces


def merge(*meshes: Mesh) -> Mesh:
    """Put meshes together into one."""
    vertices, faces, offset = [], [], 0
    for points, corners in meshes:
        vertices.append(points)
        faces += [tuple(i + offset for i in face) for face in corners]
        offset += len(points)
    return np.concatenate(vertices), faces


def turned(vertices: Array, axis: str, degrees: float, about: ArrayLike = (0, 0, 0)) -> Array:
    """Rotate points about an axis ("x", "y" or "z") through a point."""
    centre = np.asarray(about, dtype=np.float64)
    return (vertices - centre) @ turn_matrix(axis, degrees).T + centre


def turn_matrix(axis: str, degrees: float) -> Array:
    """Rotation about "x", "y" or "z", (3, 3), anticlockwise seen from the axis's tip."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    first = {"x": 1, "y": 2, "z": 0}[axis]
    second = (first + 1) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def moved(mesh: Mesh, by: ArrayLike) -> Mesh:
    """Shift a mesh."""
    return mesh[0] + np.asarray(by, dtype=np.float64), mesh[1]


def facing_front(mesh: Mesh) -> Mesh:
    """Lay a mesh built along +z so that it points to the viewer, along -y."""
    return turned(mesh[0], "x", 90), mesh[1]


def smooth_step(values: ArrayLike, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, a smooth S between."""
    scaled = np.clip((np.asarray(values, dtype=np.float64) - low) / (high - low), 0, 1)
    return np.asarray(3 * scaled**2 - 2 * scaled**3)


def curve(points: ArrayLike, count: int = 24) -> Array:
    """Run a smooth line through a few points.

    Args:
        points: (K, D), K at least 2.
        count: number of points of the line.

    Returns:
        (count, D), by Catmull and Rom's splines; it passes through every given point.
    """
    given = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
    positions = np.linspace(0, len(given) - 1, count)
    start = np.minimum(positions.astype(int), len(given) - 2)
    t = (positions - start)[:, None]
    a, b, c, d = (padded[start + k] for k in range(4))
    line = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
    return np.asarray((line + (3 * b - a - 3 * c + d) * t**3) / 2)


def rounded_rectangle(width: float, depth: float, radius: float, corner: int = 6) -> Array:
    """Outline (K, 2) of a rectangle with round corners, about the origin."""
    radius = min(radius, width / 2 - 1e-6, depth / 2 - 1e-6)
    angles = np.linspace(0, np.pi / 2, corner)
    arc = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius
    corners = []
    for quarter, (x, y) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        turn = turn_matrix("z", 90.0 * quarter)[:2, :2]
        corners.append(arc @ turn.T + [x * (width / 2 - radius), y * (depth / 2 - radius)])
    return np.concatenate(corners)


def loft(outlines: Sequence[Array], heights: Sequence[float]) -> Mesh:
    """Join outlines of equal length, each at its height, and cap both ends.

    Args:
        outlines: (K, 2) each.
        heights: z of each outline, rising.
    """
    columns = len(outlines[0])
    rings = [
        np.column_stack([outline, np.full(columns, height)])
        for outline, height in zip(outlines, heights, strict=True)
    ]
    faces = grid_faces(len(rings), columns)
    faces += [tuple(range(columns))[::-1]]
    faces += [tuple(range((len(rings) - 1) * columns, len(rings) * columns))]
    return np.concatenate(rings), faces


def face_centres(mesh: Mesh) -> Array:
    """Mean of the corners of every face, (F, 3)."""
    vertices, faces = mesh
    return np.stack([vertices[list(face)].mean(axis=0) for face in faces])


def parts_where(
    mesh: Mesh, part: int, rule: Callable[[Array], NDArray[np.bool_]]
) -> NDArray[np.uint8]:
    """Part ids (F,): `part` for the faces whose centres fulfil a rule, 0 for the others.

    Args:
        mesh: to divide.
        part: id to give.
        rule: takes the centres (F, 3) and returns (F,) bool.
    """
    return np.where(rule(face_centres(mesh)), part, 0).astype(np.uint8)
