"""Runs on two devices, each a process of its own: their scores are those of one device."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest
import torch
from filelock import FileLock, Timeout

from affordance_grounding_core.backbones import weights
from affordance_grounding_core.checkpoints.format import read_checkpoint
from affordance_grounding_core.methods.selective_cl.training import train_from_config

REPOSITORY = Path(__file__).parents[3]
RUN_SECONDS = 240.0
"""Limit of a run on two devices, which takes half a minute; below the limit of a test."""
WORKER = Path(__file__).with_name("selective_run_worker.py")
TWO_DEVICES = (
    "--trainer.num_nodes=2",
    "--trainer.devices=1",
    "--trainer.strategy=ddp_find_unused_parameters_true",
)

Arguments = Callable[..., list[str]]


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that no other test process takes before the runs of this one have ended.

    Ports that the system hands out by itself begin at 32768; a lock keeps those below apart.
    """
    for step in range(10000):
        port = 20000 + (os.getpid() + step) % 10000
        lock = FileLock(Path(tempfile.gettempdir()) / f"affordance_grounding_port_{port}.lock")
        try:
            lock.acquire(timeout=0)
        except (Timeout, PermissionError):
            continue
        try:
            if is_free(port):
                yield port
                return
        finally:
            lock.release()
    raise AssertionError("no port of 20000 to 29999 is free")


def is_free(port: int) -> bool:
    with socket.socket() as trial, suppress(OSError):
        trial.bind(("127.0.0.1", port))
        return True
    return False


def run_together(commands: Sequence[Sequence[str]], variables: Sequence[Mapping[str, str]]) -> None:
    """Run one command a machine at the same time; all have to succeed, in a limited time.

    What they print goes to files: a full pipe would stop one of them, and the other waits for it.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    with ExitStack() as stack:
        printed = [stack.enter_context(tempfile.TemporaryFile()) for _ in commands]
        started = [
            stack.enter_context(
                running(command, plain | {"OMP_NUM_THREADS": "1"} | dict(own), output)
            )
            for command, own, output in zip(commands, variables, printed, strict=True)
        ]
        last = time.monotonic() + RUN_SECONDS
        # One that fails leaves the other waiting for it.
        while any(one.poll() is None for one in started) and not any(one.poll() for one in started):
            if time.monotonic() > last:
                break
            time.sleep(0.1)
        ended = [one.poll() for one in started]
        said = []
        for output in printed:
            output.seek(0)
            said.append(output.read().decode(errors="replace"))
    assert ended == [0] * len(started), "\n".join(said)


@contextmanager
def running(
    command: Sequence[str], variables: Mapping[str, str], output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with all that it has started."""
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**variables, "PYTHONPATH": str(REPOSITORY)},
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()  # torchrun ends its workers, which are in sessions of their own
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute as the processes of `run_together` do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def alone(options: Sequence[str]) -> None:
    """Run on one device, in this process."""
    with one_thread():
        train_from_config(options)


def by_torchrun(options: Sequence[str]) -> None:
    """Start a run as docs/train/runs.md says: torchrun on each of two machines."""
    with reserved_port() as port:
        commands = [
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2"),
                *("--nproc_per_node=1", f"--node_rank={rank}"),
                *("--master_addr=127.0.0.1", f"--master_port={port}"),
                *(str(WORKER), *options, *TWO_DEVICES),
            ]
            for rank in range(2)
        ]
        run_together(commands, [{}, {}])


def by_slurm(options: Sequence[str]) -> None:
    """Start a run as `srun` does: one task on each of two machines, told by its environment."""
    common = {
        "SLURM_JOB_NAME": "train",
        "SLURM_JOB_ID": "7",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "2",
        "SLURM_LOCALID": "0",
        "SLURM_JOB_NODELIST": "localhost",
        "MASTER_ADDR": "127.0.0.1",
    }
    command = [sys.executable, str(WORKER), *options, *TWO_DEVICES]
    with reserved_port() as port:
        common |= {"MASTER_PORT": str(port)}
        tasks = [common | {"SLURM_PROCID": str(n), "SLURM_NODEID": str(n)} for n in range(2)]
        run_together([command, command], tasks)


def scores_of(output: Path) -> list[dict[str, Any]]:
    scores: list[dict[str, Any]] = read_checkpoint(output / "last").config["training"]["scores"]
    return scores


@pytest.fixture
def options(
    forty_images: Path, tiny: Arguments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Arguments of a run on forty pictures, 13 of them to score epochs on."""
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))

    def arguments(output: Path, *more: str, root: Path = forty_images) -> list[str]:
        return tiny(root, output, "--trainer.max_epochs=1", "--score_untrained=true", *more)

    return arguments


@pytest.mark.slow
def test_two_devices_score_as_one_and_one_goes_on_where_they_stopped(
    options: Callable[..., list[str]], tmp_path: Path
) -> None:
    single, together = tmp_path / "single", tmp_path / "together"
    alone(options(single))
    by_torchrun(options(together))
    before = scores_of(together)
    assert [score["epoch"] for score in before] == [-1, 0]
    # 13 images: one of them is shown on both devices, and must not count twice.
    assert before[0] == pytest.approx(scores_of(single)[0], rel=0, abs=1e-9)
    more = ("--trainer.max_epochs=2", "--resume=last")
    alone(options(together, *more))
    after = scores_of(together)
    assert after[:2] == before
    assert [score["epoch"] for score in after] == [-1, 0, 1]


@pytest.mark.slow
def test_a_training_set_may_be_smaller_than_the_number_of_devices(
    options: Callable[..., list[str]], forty_images: Path, tmp_path: Path
) -> None:
    for part in ("trainset", "testset"):
        for file in sorted((forty_images / part).rglob("*.png")):
            if not (file.stem == "mug_0" and "hold" in file.parts):
                file.unlink()
        for folder in sorted((forty_images / part).rglob("cut_with")):
            shutil.rmtree(folder)
    output = tmp_path / "run"
    more = ("--model.actions=[hold]", "--model.objective.contrast.pixels=none")
    by_slurm(options(output, *more))
    assert [score["epoch"] for score in scores_of(output)] == [-1, 0]
    assert read_checkpoint(output / "last").config["training"]["samples"] == 1
