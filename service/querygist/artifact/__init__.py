"""The model artifact: base model + LoRA adapter + manifest; resolved (no writing), then fetched, merged and checked."""

from querygist.artifact.built_model import BuiltModel, build, fetch_base, info
from querygist.artifact.resolved_model import ResolvedModel, resolve

__all__ = ["BuiltModel", "ResolvedModel", "build", "fetch_base", "info", "resolve"]
