"""Distances are those of the bodies, and a hand through a thin wall is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render_affordances.hands.contact import (
    DistanceGrid,
    PointSurface,
    depth_inside,
    hand_surface,
    outward,
    sample_surface,
)
from render_affordances.meshes.geometry import box, sweep

SPACING = 0.002
CELL = 0.005


def _surface(vertices: np.ndarray, faces: list) -> PointSurface:
    parts = np.arange(len(faces)).astype(np.uint8)
    return sample_surface(vertices, faces, parts, SPACING, np.random.default_rng(0))


@pytest.fixture(scope="module")
def cube() -> PointSurface:
    return _surface(*box((0, 0, 0), (0.1, 0.1, 0.1)))


coordinate = st.floats(-0.09, 0.09)


@given(x=coordinate, y=coordinate, z=coordinate)
@settings(deadline=None)
def test_distance_is_that_of_the_cube(cube: PointSurface, x: float, y: float, z: float) -> None:
    outside = np.maximum(np.abs([x, y, z]) - 0.05, 0)
    inside = min(0.0, float(np.max(np.abs([x, y, z]) - 0.05)))
    expected = float(np.linalg.norm(outside)) + inside
    found = float(cube.signed_distance(np.array([[x, y, z]]))[0])
    assert abs(found - expected) < 2 * SPACING


@given(x=coordinate, y=coordinate, z=coordinate)
@settings(deadline=None)
def test_grid_agrees_with_the_surface(cube: PointSurface, x: float, y: float, z: float) -> None:
    grid = _grid(cube)
    place = np.array([[x, y, z]])
    # Points are apart, and between the nodes of a grid a distance with a kink is not linear.
    allowed = 2 * SPACING + CELL
    assert abs(float((grid.signed_distance(place) - cube.signed_distance(place))[0])) < allowed


_GRIDS: dict[int, DistanceGrid] = {}


def _grid(surface: PointSurface) -> DistanceGrid:
    if id(surface) not in _GRIDS:
        _GRIDS[id(surface)] = DistanceGrid(surface, np.zeros(3), half=0.1, cell=CELL)
    return _GRIDS[id(surface)]


def test_faces_turned_inwards_are_turned_back() -> None:
    vertices, faces = box((0, 0, 0), (1, 1, 1))
    mixed = np.concatenate([vertices, vertices + 3])
    inwards = [tuple(i + 8 for i in reversed(face)) for face in faces]
    triangles, source = outward(mixed, [*faces, *inwards])
    corners = mixed[triangles]
    for piece, middle in ((triangles[:, 0] < 8, 0.0), (triangles[:, 0] >= 8, 3.0)):
        normal = np.cross(
            corners[piece, 1] - corners[piece, 0], corners[piece, 2] - corners[piece, 0]
        )
        outwards = corners[piece].mean(axis=1) - middle
        assert (np.einsum("ij,ij->i", normal, outwards) > 0).all()
    assert sorted(set(source)) == list(range(12))


def test_every_triangle_is_sampled_and_keeps_its_part() -> None:
    surface = _surface(*box((0, 0, 0), (0.1, 0.001, 0.1)))
    assert set(surface.parts) == set(range(6))
    assert len(surface.of_parts([2]).points) == int((surface.parts == 2).sum())


def test_a_thin_plate_through_a_finger_is_deep_though_no_skin_is() -> None:
    finger, faces = sweep([(0, 0, -0.03), (0, 0, 0), (0, 0, 0.03)], 0.01, 16, up=(1, 0, 0))
    triangles, _ = outward(finger, faces)
    plate = _surface(*box((0, 0, 0.01), (0.1, 0.1, 0.0005)))
    assert float(plate.signed_distance(finger).min()) > -0.001
    assert depth_inside(hand_surface(finger, triangles), plate.points) > 0.006


def test_bodies_apart_have_no_depth() -> None:
    finger, faces = sweep([(0, 0, 0.2), (0, 0, 0.23), (0, 0, 0.26)], 0.01, 16, up=(1, 0, 0))
    triangles, _ = outward(finger, faces)
    plate = _surface(*box((0, 0, 0), (0.1, 0.1, 0.01)))
    assert depth_inside(hand_surface(finger, triangles), plate.points) == 0.0
