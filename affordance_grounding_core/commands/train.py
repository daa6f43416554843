"""`affordance-grounding train`: from a YAML config to a checkpoint folder."""

from __future__ import annotations

import typer

from affordance_grounding_core.errors import RuntimeUnavailableError

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Typer context settings: every option, --help included, goes to the training parser."""


def train(context: typer.Context) -> None:
    """Train a model: --config FILE, and any option of the run after it (--help lists them)."""
    try:
        from affordance_grounding_core.methods.action_head.training import train_from_config
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"training needs the extra 'train' ({error}); install it with "
            "`pip install 'affordance-grounding-core[train]'`"
        ) from error
    checkpoint = train_from_config(context.args)
    typer.echo(f"checkpoint {checkpoint.folder} (weights sha256 {checkpoint.fingerprint[:16]})")
    typer.echo(f"threshold {checkpoint.config['regions']['threshold']}")
