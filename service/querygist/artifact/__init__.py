"""The model artifact: base model + LoRA adapter + manifest, fetched, merged and checked before anything serves it."""

from querygist.artifact.built_model import BuiltModel, build, fetch_base, info, verify

__all__ = ["BuiltModel", "build", "fetch_base", "info", "verify"]
