"""Grasp points and frames on surfaces whose geometry is known."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from depth_scenes import CAMERA, Patch, cylinder_depth, ellipse, patch, plane_depth
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from affordance_grounding_ros.demo.stereo import DISPARITY, MOTORCYCLE
from affordance_grounding_ros.depth.camera_model import CameraModel, camera_model
from affordance_grounding_ros.depth.grasp_pose import (
    Grasp,
    GraspConfig,
    NoGraspError,
    grasp_of_region,
)
from affordance_grounding_ros.depth.image import DepthImage
from affordance_grounding_ros.depth.plane_fit import fit_plane, nearest_layer, weighted_median
from affordance_grounding_ros.depth.rotations import product, quaternion_of, rotation_of

QUICK = settings(deadline=None, max_examples=40)


def grasp(on: Patch, metres: NDArray[np.float32], config: GraspConfig | None = None) -> Grasp:
    depth = DepthImage(metres, CAMERA.width, CAMERA.height)
    return grasp_of_region(on.region, on.heatmap, depth, CAMERA, config)


def axes(of: Grasp) -> NDArray[np.float64]:
    return rotation_of(of.quaternion)


def unit(*values: float) -> NDArray[np.float64]:
    vector = np.array(values)
    return vector / np.linalg.norm(vector)


tilts = st.tuples(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2))
patches = st.builds(
    lambda column, row, length, angle: ellipse(column, row, length, 0.4 * length, angle),
    st.floats(50.0, 110.0),
    st.floats(45.0, 75.0),
    st.floats(8.0, 25.0),
    st.floats(-math.pi / 2, math.pi / 2),
)


@QUICK
@given(tilts, st.floats(0.3, 3.0), patches)
def test_on_a_plane_the_grasp_lies_in_it_and_approaches_along_its_normal(
    tilt: tuple[float, float], distance: float, mask: NDArray[np.bool_]
) -> None:
    normal = unit(*tilt, -1.0)
    point = np.array([0.0, 0.0, distance])
    metres = plane_depth(point, normal)
    on = patch(mask)
    found = grasp(on, metres)
    assert abs(float((found.position - point) @ normal)) < 1e-3 * distance
    into = axes(found)[:, 2]
    assert float(into @ -normal) > math.cos(math.radians(1.0))
    # The point lies under the region's middle.
    column = CAMERA.focal_x * found.position[0] / found.position[2] + CAMERA.center_x
    row = CAMERA.focal_y * found.position[1] / found.position[2] + CAMERA.center_y
    assert (column, row) == pytest.approx(on.region.centroid, abs=1.5)


@QUICK
@given(tilts, patches)
def test_the_frame_is_a_right_handed_rotation_whose_x_runs_along_the_long_side(
    tilt: tuple[float, float], mask: NDArray[np.bool_]
) -> None:
    normal = unit(*tilt, -1.0)
    on = patch(mask)
    found = grasp(on, plane_depth(np.array([0.0, 0.0, 1.0]), normal))
    assert np.linalg.norm(found.quaternion) == pytest.approx(1.0, abs=1e-12)
    frame = axes(found)
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-9)
    assert np.linalg.det(frame) == pytest.approx(1.0)
    # A small step along x moves the point's image along the long side.
    stepped = found.position + 1e-4 * frame[:, 0]
    moved = stepped[:2] / stepped[2] - found.position[:2] / found.position[2]
    angle = math.atan2(moved[1], moved[0])
    difference = angle - on.region.oriented_box.angle
    assert abs(math.remainder(difference, 2 * math.pi)) < 1e-3


def test_a_region_seen_straight_on_has_the_frame_of_the_camera_and_its_size_in_metres() -> None:
    metres = np.full((120, 160), 0.7, np.float32)
    found = grasp(patch(ellipse(79.5, 59.5, 28.0, 7.0)), metres)
    np.testing.assert_allclose(axes(found), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(found.position, [0.0, 0.0, 0.7], atol=0.004)
    assert found.length == pytest.approx(56 / 140 * 0.7, rel=0.15)
    assert found.width == pytest.approx(14 / 140 * 0.7, rel=0.15)


@QUICK
@given(st.floats(-1.0, 1.0), st.floats(0.5, 1.5), st.floats(0.03, 0.08), st.floats(-0.6, 0.6))
def test_a_cylinder_is_approached_across_its_axis_at_its_front(
    turn: float, distance: float, radius: float, lean: float
) -> None:
    axis = unit(math.sin(turn), math.cos(turn), lean)
    point = np.array([0.02, -0.01, distance])
    metres = cylinder_depth(point, axis, radius)
    seen = np.isfinite(metres)
    window = ellipse(79.5, 59.5, 30.0, 30.0)
    found = grasp(patch(seen & window), metres)
    from_axis = found.position - point
    from_axis -= float(from_axis @ axis) * axis
    # The fitted plane cuts a little off the bulge.
    assert np.linalg.norm(from_axis) == pytest.approx(radius, abs=0.2 * radius)
    into = axes(found)[:, 2]
    assert abs(float(into @ axis)) < 0.1
    assert float(into @ -unit(*from_axis)) > math.cos(math.radians(12.0))


@QUICK
@given(
    st.floats(0.5, 1.5),
    st.floats(0.12, 2.0),
    st.floats(0.3, 0.95),
    st.integers(0, 2**32 - 1),
)
def test_the_point_lies_on_the_foreground_never_between_it_and_the_background(
    near: float, behind: float, share: float, seed: int
) -> None:
    """A region that spills over: the left `share` of its columns is the object."""
    random = np.random.default_rng(seed)
    metres = np.full((120, 160), near + behind, np.float32)
    on = patch(ellipse(80.0, 60.0, 30.0, 12.0))
    edge = int(50 + share * 60)
    metres[:, :edge] = near
    # Flying pixels at the edge, noise everywhere, holes here and there.
    metres[:, edge] = random.uniform(near, near + behind, 120)
    metres += random.normal(0.0, 0.002, metres.shape).astype(np.float32)
    metres[random.random(metres.shape) < 0.1] = np.nan
    found = grasp(on, metres)
    on_object = np.count_nonzero(on.heatmap[:, :edge]) / np.count_nonzero(on.heatmap)
    surfaces = [near] if on_object > 0.3 else [near, near + behind]
    assert min(abs(found.position[2] - surface) for surface in surfaces) < 0.01


@QUICK
@given(st.floats(0.0, 0.7), st.integers(0, 2**32 - 1))
def test_holes_and_outliers_hardly_move_the_pose(holes: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    normal = unit(0.4, -0.3, -1.0)
    point = np.array([0.0, 0.0, 0.8])
    metres = plane_depth(point, normal)
    wrong = random.random(metres.shape)
    metres[wrong < 0.05] += random.normal(0.0, 0.02, int((wrong < 0.05).sum())).astype(np.float32)
    metres[random.random(metres.shape) < holes] = np.nan
    found = grasp(patch(ellipse(80.0, 60.0, 25.0, 12.0)), metres)
    assert abs(float((found.position - point) @ normal)) < 0.005
    assert float(axes(found)[:, 2] @ -normal) > math.cos(math.radians(6.0))


def test_a_region_as_large_as_a_large_image_has_the_pose_of_its_surface() -> None:
    """Two million pixels; that they are not all looked at must not show."""
    camera = CameraModel(1920, 1080, 1400.0, 1400.0, 959.5, 539.5)
    normal, point = unit(0.3, 0.2, -1.0), np.array([0.0, 0.0, 1.5])
    on = patch(np.ones((1080, 1920), np.bool_))
    depth = DepthImage(plane_depth(point, normal, camera), 1920, 1080)
    found = grasp_of_region(on.region, on.heatmap, depth, camera)
    np.testing.assert_allclose(found.position, point, atol=0.02)
    assert float(axes(found)[:, 2] @ -normal) > math.cos(math.radians(0.5))
    assert found.length > found.width > 1.0


def test_the_motorcycle_of_the_stereo_pair_is_grasped_on_its_surface() -> None:
    """Measured depth, with its holes and edges: wherever a region lies, its grasp lies on what
    was measured there and faces the camera."""
    data = pytest.importorskip("skimage.data", reason="the stereo pair comes with scikit-image")
    disparity = np.load(Path(data.__file__).parent / DISPARITY)["arr_0"]
    height, width = disparity.shape
    camera = camera_model(MOTORCYCLE.camera_info(height, width), width, height)
    metres = MOTORCYCLE.depth(disparity)
    depth = DepthImage(metres, width, height)
    rows, columns = np.indices(disparity.shape)
    for row, column in itertools.product(range(60, height - 40, 60), range(60, width - 40, 70)):
        on = patch(np.hypot(rows - row, 0.6 * (columns - column)) < 12.0)
        found = grasp_of_region(on.region, on.heatmap, depth, camera)
        measured = metres[on.heatmap > 0]
        nearest = measured[np.nanargmin(np.abs(measured - found.position[2]))]
        assert found.position[2] == pytest.approx(nearest, abs=0.02), (row, column)
        u = camera.focal_x * found.position[0] / found.position[2] + camera.center_x
        v = camera.focal_y * found.position[1] / found.position[2] + camera.center_y
        assert on.heatmap[round(v), round(u)] > 0.0, (row, column)
        assert axes(found)[:, 2] @ found.position > 0.0, "into the surface, away from the camera"


def test_a_wire_is_approached_from_the_camera() -> None:
    """One pixel wide, with noise in depth: no surface tells the normal."""
    mask = np.zeros((120, 160), np.bool_)
    mask[60, 40:120] = True
    random = np.random.default_rng(3)
    metres = (0.6 + random.normal(0.0, 0.003, mask.shape)).astype(np.float32)
    found = grasp(patch(mask), metres)
    assert axes(found)[2, 2] > 0.97
    assert abs(axes(found)[0, 0]) > 0.95
    assert found.position[2] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_region_without_depth_has_no_pose(value: float) -> None:
    metres = np.full((120, 160), value, np.float32)
    metres[~np.isfinite(metres) | (metres <= 0)] = np.nan
    with pytest.raises(NoGraspError, match=r"0 of the region's .* pixels have usable depth"):
        grasp(patch(ellipse(80.0, 60.0, 20.0, 10.0)), metres)


def test_depth_in_the_wrong_unit_is_pointed_out() -> None:
    metres = np.full((120, 160), 812.0, np.float32)
    with pytest.raises(NoGraspError, match=r"nearest is at 812 m, .* 32FC1 is metres"):
        grasp(patch(ellipse(80.0, 60.0, 20.0, 10.0)), metres)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_whatever_the_depth_the_pose_is_finite_or_refused(data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    kinds = np.array([np.nan, 1e-6, 0.2, 0.2, 1.0, 1.0001, 5.0, 1e30], np.float32)
    chosen = data.draw(st.lists(st.sampled_from(list(kinds)), min_size=1, max_size=4))
    metres = random.choice(np.array(chosen, np.float32), (120, 160))
    length = data.draw(st.floats(1.0, 40.0))
    width = data.draw(st.floats(1.0, 40.0))
    angle = data.draw(st.floats(-math.pi / 2, math.pi / 2))
    on = patch(ellipse(80.0, 60.0, max(length, width), min(length, width), angle))
    try:
        found = grasp(on, metres)
    except NoGraspError as error:
        assert "have usable depth" in str(error)  # noqa: PT017 - both ends are allowed.
        return
    assert np.isfinite(found.position).all()
    assert 0.0 < found.position[2] <= 20.0 + 1e-6
    assert np.linalg.norm(found.quaternion) == pytest.approx(1.0)
    assert np.isfinite([found.length, found.width]).all()


def test_a_steep_plane_is_one_surface() -> None:
    depth = np.linspace(0.5, 1.5, 2000)
    assert nearest_layer(depth, np.ones(2000)).all()


def test_the_nearest_surface_with_a_fair_share_is_chosen() -> None:
    depth = np.concatenate([np.full(3, 0.3), np.full(40, 0.8), np.full(100, 2.0)])
    layer = nearest_layer(depth, np.ones(depth.size))
    np.testing.assert_array_equal(layer, depth == 0.8)


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0.01, 10.0)), min_size=1, max_size=30),
)
def test_half_the_weight_lies_on_either_side_of_the_median(
    pairs: list[tuple[float, float]],
) -> None:
    values, weights = np.array(pairs).T
    median = weighted_median(values, weights)
    half = weights.sum() / 2 + 1e-9
    assert weights[values < median].sum() <= half
    assert weights[values > median].sum() <= half


quaternions = st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4).filter(
    lambda values: np.linalg.norm(values) > 0.1
)


@given(quaternions, quaternions)
def test_quaternions_and_matrices_say_the_same(one: list[float], other: list[float]) -> None:
    first, second = np.array(one), np.array(other)
    matrix = rotation_of(first)
    np.testing.assert_allclose(rotation_of(quaternion_of(matrix)), matrix, atol=1e-9)
    np.testing.assert_allclose(
        rotation_of(product(first, second)), matrix @ rotation_of(second), atol=1e-9
    )


def test_outliers_do_not_tilt_the_plane() -> None:
    random = np.random.default_rng(0)
    flat = np.column_stack([random.uniform(-0.1, 0.1, (400, 2)), np.full(400, 1.0)])
    flat[:40, 2] += 0.05
    plane = fit_plane(flat)
    assert plane.normal @ [0.0, 0.0, -1.0] > math.cos(math.radians(0.5))
    assert plane.deviation < 1e-3


@pytest.mark.parametrize(
    ("name", "value"), [("maximum_depth", 0.0), ("patch_radius", np.nan), ("least_pixels", 2)]
)
def test_a_configuration_that_makes_no_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        GraspConfig(**{name: value})
