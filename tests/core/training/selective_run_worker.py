"""One process of a run with tiny backbones; the tests start several of them.

Usage: selective_run_worker.py [options of the run]
"""

from __future__ import annotations

import sys

from affordance_grounding_core.methods.selective_cl import frozen_backbones
from affordance_grounding_core.methods.selective_cl.training import train_from_config
from tests.core.methods.selective_cl.conftest import tiny_backbones

if __name__ == "__main__":
    frozen_backbones.load_backbones = tiny_backbones
    train_from_config(sys.argv[1:])
