"""Meshes from profiles and paths, and cameras that frame them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render_affordances.cameras.camera import (
    NEAR,
    Camera,
    blur_limit,
    direction,
    framed,
    look_at,
    random_focal,
)
from render_affordances.meshes.geometry import (
    Mesh,
    blade,
    box,
    curve,
    extrude,
    loft,
    merge,
    revolve,
    rounded_rectangle,
    sweep,
    turned,
)
from render_affordances.meshes.model import Array
from render_affordances.shapes.catalogue import CLASSES

ANGLE = st.floats(-180, 180)


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem, each face fanned into triangles."""
    vertices, faces = mesh
    total = 0.0
    for face in faces:
        for b, c in pairwise(face[1:]):
            total += float(np.dot(vertices[face[0]], np.cross(vertices[b], vertices[c]))) / 6
    return total


def is_closed(mesh: Mesh) -> bool:
    edges = Counter(
        tuple(sorted(pair))
        for face in mesh[1]
        for pair in zip(face, (*face[1:], face[0]), strict=True)
    )
    return set(edges.values()) == {2}


@pytest.mark.parametrize(
    "mesh",
    [
        revolve([(0, 0), (0.03, 0), (0.03, 0.1), (0, 0.1)]),
        sweep(np.linspace((0, 0, 0), (0.2, 0, 0), 5), 0.01, up=(0, 0, 1)),
        box((0, 0, 0), (0.1, 0.2, 0.3)),
        extrude(rounded_rectangle(0.1, 0.05, 0.01), 0.02),
        blade(np.array([(0, 1.0), (1, 1)]), np.array([(0, 0.0), (1, 0)]), 0.1),
        loft([rounded_rectangle(1, 1, 0.1), rounded_rectangle(0.5, 0.5, 0.1)], [0, 1]),
    ],
    ids=["revolve", "sweep", "box", "extrude", "blade", "loft"],
)
def test_solids_have_no_holes(mesh: Mesh) -> None:
    assert is_closed(mesh)
    assert abs(volume(mesh)) > 0


def test_a_turned_profile_encloses_the_volume_of_its_cylinder() -> None:
    mesh = revolve([(0, 0), (0.03, 0), (0.03, 0.1), (0, 0.1)], 256)
    assert abs(volume(mesh)) == pytest.approx(np.pi * 0.03**2 * 0.1, rel=1e-3)


def test_a_closed_sweep_is_a_ring() -> None:
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    path = np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    mesh = sweep(path, 0.1, 40, closed=True, up=(0, 0, 1))
    assert is_closed(mesh)
    assert abs(volume(mesh)) == pytest.approx(2 * np.pi**2 * 0.1**2, rel=0.01)


def test_a_curve_passes_through_its_points() -> None:
    points = np.array([(0, 0, 0), (1, 2, 0), (3, 1, 1), (4, 4, 4.0)])
    line = curve(points, 31)
    assert np.allclose(line[[0, 10, 20, 30]], points)


@given(degrees=ANGLE, axis=st.sampled_from("xyz"))
def test_turning_keeps_lengths_and_can_be_undone(degrees: float, axis: str) -> None:
    points = np.random.default_rng(0).normal(size=(20, 3))
    there = turned(points, axis, degrees)
    assert np.allclose(np.linalg.norm(there, axis=1), np.linalg.norm(points, axis=1))
    assert np.allclose(turned(there, axis, -degrees), points)


def test_merged_meshes_keep_their_faces() -> None:
    first, second = box((0, 0, 0), (1, 1, 1)), box((5, 0, 0), (1, 1, 1))
    vertices, faces = merge(first, second)
    assert len(vertices) == 16
    assert vertices[list(faces[6])].min() >= -0.5
    assert vertices[list(faces[6])][:, 0].min() >= 4.5


def test_a_camera_sees_right_to_the_right_and_up_above() -> None:
    camera = look_at((0, -2, 0), (0, 0, 0), 36.0)
    where, depth = camera.project([(0, 0, 0), (0.5, 0, 0), (0, 0, 0.5), (0, -3, 0)])
    assert np.allclose(where[0], 0.5)
    assert where[1][0] > 0.5
    assert where[2][1] < 0.5
    assert depth[0] == pytest.approx(2)
    assert depth[3] < 0
    # A sensor as wide as the focal length sees as much as the distance.
    assert where[1][0] - 0.5 == pytest.approx(0.25)


@dataclass(frozen=True)
class View:
    """How the renderer may be asked to look at an object."""

    azimuth: float
    elevation: float
    focal: float
    fill: float
    roll: float
    shift: tuple[float, float]

    @property
    def towards(self) -> Array:
        return direction(self.azimuth, self.elevation)

    def of(self, points: Array) -> Camera:
        return framed(points, self.towards, self.focal, self.fill, self.roll, self.shift)


VIEWS = st.builds(
    View,
    azimuth=ANGLE,
    elevation=st.floats(-60, 89),
    focal=st.floats(24, 85),
    fill=st.floats(0.2, 0.97),
    roll=ANGLE,
    shift=st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)),
)
"""Every way the renderer may look at an object, and more."""


def check_framing(camera: Camera, points: Array, view: View) -> None:
    """Points fill as much as asked, where asked, inside the picture and before the camera."""
    where, _ = camera.project(points)
    assert float(np.ptp(where, axis=0).max()) == pytest.approx(view.fill, rel=1e-6)
    check_place(camera, points, view)


def check_place(camera: Camera, points: Array, view: View) -> None:
    where, depth = camera.project(points)
    low, high = where.min(axis=0), where.max(axis=0)
    assert np.allclose((low + high) / 2, 0.5 + np.multiply(view.shift, 1 - (high - low)) / 2)
    assert camera.share_in_frame(points) == 1
    assert depth.min() > 2 * NEAR * (1 - 1e-6)
    assert np.allclose(camera.rotation[:, 2], view.towards)
    assert np.allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-9)


@settings(deadline=None, max_examples=150)
@given(view=VIEWS, sizes=st.tuples(*[st.floats(0.01, 2.0)] * 3), seed=st.integers(0, 1000))
def test_points_fill_the_picture_as_asked(
    view: View,
    sizes: tuple[float, float, float],
    seed: int,
) -> None:
    points = np.random.default_rng(seed).normal(size=(60, 3)) * sizes
    camera = view.of(points)
    where, depth = camera.project(points)
    if depth.min() > 2 * NEAR * (1 + 1e-6):
        check_framing(camera, points, view)
    else:  # a lone point right before the camera, the others far behind it
        check_place(camera, points, view)
        assert np.ptp(where, axis=0).max() < view.fill * (1 + 1e-6)


@settings(deadline=None, max_examples=150)
@given(view=VIEWS, sizes=st.tuples(*[st.floats(0.03, 3.0)] * 3))
def test_long_and_flat_boxes_fill_the_picture_as_asked(
    view: View,
    sizes: tuple[float, float, float],
) -> None:
    points, _ = box((0.3, -2.0, 1.0), sizes)
    camera = view.of(points)
    check_framing(camera, points, view)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_fills_the_picture_as_asked(name: str) -> None:
    random = np.random.default_rng(0)
    points = CLASSES[name](random).vertices
    for _ in range(4):
        view = View(
            azimuth=float(random.uniform(-180, 180)),
            elevation=float(random.uniform(-20, 89)),
            focal=random_focal(random),
            fill=float(random.uniform(0.36, 0.97)),
            roll=float(random.uniform(-180, 180)),
            shift=(float(random.uniform(-0.9, 0.9)), float(random.uniform(-0.9, 0.9))),
        )
        check_framing(view.of(points), points, view)


@settings(deadline=None, max_examples=60)
@given(view=VIEWS, length=st.floats(0.0, 3.0))
def test_a_camera_goes_no_nearer_than_it_can_see(
    view: View,
    length: float,
) -> None:
    needle = np.linspace(0, length, 20)[:, None] * view.towards
    camera = view.of(needle)
    where, depth = camera.project(needle)
    assert depth.min() == pytest.approx(2 * NEAR)
    assert np.ptp(where, axis=0).max() < view.fill
    assert camera.share_in_frame(needle) == 1


def test_a_principal_point_off_the_middle_moves_the_picture_and_nothing_else() -> None:
    camera = look_at((0, -2, 0), (0, 0, 0), 36.0)
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (20, 3))
    where, depth = camera.project(points)
    moved, same = replace(camera, principal_point=(0.7, 0.4)).project(points)
    assert np.allclose(moved - where, [0.2, -0.1])
    assert np.array_equal(same, depth)


def test_what_is_behind_the_camera_is_not_in_frame() -> None:
    camera = Camera(np.zeros(3), np.eye(3), 50.0)
    assert camera.share_in_frame(np.array([(0, 0, -1.0), (0, 0, 1.0)])) == 0.5
    assert camera.share_in_frame(np.array([(0, 0, -1.0), (5, 0, -1.0)])) == 0.5


def test_a_deeper_object_needs_a_smaller_aperture() -> None:
    camera = look_at((0, -1, 0), (0, 0, 0), 50.0)
    shallow = np.array([(0, -0.05, 0), (0, 0, 0), (0, 0.05, 0)])
    assert blur_limit(camera, shallow * 3, 0.01) > blur_limit(camera, shallow, 0.01)
