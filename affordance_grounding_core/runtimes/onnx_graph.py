"""A grounding network as an ONNX file, for ONNX Runtime and for whoever reads ONNX."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch
from torch import nn

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.runtimes.graph import GraphInput, export_network

OPSET = 20
"""ONNX operator set: the first with GELU as one operator."""


def write_onnx(network: nn.Module, shape: GraphInput, path: Path, precision: str = "fp32") -> None:
    """Write a network as one ONNX file with its weights inside.

    Inputs are `pixels` and, unless the graph answers all actions, `actions`; the output is
    `heat`. See `export_network`.

    Args:
        network: see `export_network`.
        shape: of the input.
        path: file to write.
        precision: see `export_network`.

    Raises:
        ExportError: the graph cannot be written as ONNX.
        RuntimeUnavailableError: onnxscript, which PyTorch writes ONNX with, is missing.
    """
    graph = export_network(network, shape, precision)
    names = ["pixels"] if shape.answers_all else ["pixels", "actions"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("onnxscript").setLevel(logging.ERROR)
            program = torch.onnx.export(
                graph.program,
                (),
                dynamo=True,
                input_names=names,
                output_names=["heat"],
                opset_version=OPSET,
                verbose=False,
            )
            if program is None:
                raise ExportError("PyTorch wrote no ONNX graph")
            program.save(str(path), external_data=False)
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"PyTorch needs onnxscript to write ONNX ({error}); install it with "
            "pip install 'affordance-grounding-core[onnx]'"
        ) from error
    except Exception as error:
        raise ExportError(f"the graph cannot be written as ONNX ({error})") from error
