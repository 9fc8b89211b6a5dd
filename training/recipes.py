"""How a student is trained: the configuration's sections of the model and of the stages that run the training loop."""

from pathlib import Path

from pydantic import Field

from training.sections import Strict


class StudentConfig(Strict):
    """What of the model is trained. The adapter of rank 24 is 15 MB; a fully trained model is no adapter."""

    full: bool = Field(default=False, description="every weight instead of LoRA; such a model is not shipped")
    rank: int = Field(default=24, ge=1, le=24)
    alpha: int = Field(default=48, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    bfloat16: bool = Field(
        default=False, description="matrix products in bfloat16, 1.5 times as fast on a CPU that has them (avx512_bf16)"
    )


class RunConfig(Strict):
    """One run of the training loop; see training/train/trainer.py."""

    start: str | None = Field(default=None, description="the stage whose best adapter it goes on from; none: the base")
    learning_rate: float = Field(default=4e-4, gt=0)
    warm_up: int = Field(default=20, ge=1, description="steps until the learning rate is reached")
    steps: int = Field(default=320, ge=1)
    rows: int = Field(default=8, ge=1, description="examples in a step")
    micro_rows: int = Field(default=4, ge=1, description="of them at once, as memory allows")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    every: int = Field(default=80, ge=1, description="steps between checkpoints")
    patience: int = Field(default=3, ge=1, description="checkpoints without a better validation before it stops")


class SftConfig(RunConfig):
    """Supervised fine-tuning; see training/train/sft.py."""

    longest_target: int | None = Field(
        default=None, ge=8, description="tokens of a summary that are learnt: after its beginning a quote is copying"
    )
    relevance: float = Field(
        default=0.0, ge=0, description="weight of telling at the end of each sentence whether it answers"
    )


class DistillConfig(RunConfig):
    """Distillation; see training/train/distill.py."""

    kl_share: float = Field(default=0.0, ge=0, le=1, description="of the teacher's probabilities; 0: its labels alone")
    temperature: float = Field(default=1.0, gt=0, description="that softens both models' logits")
    on_policy: float = Field(default=0.0, ge=0, le=1, description="share of batches with the student's own summaries")
    on_policy_temperature: float = Field(default=0.8, gt=0)
    teacher_stage: str = Field(default="sft", description="a stage of this run, as the white-box teacher")
    teacher_folder: Path | None = Field(default=None, description="a Hugging Face folder instead")


class DpoConfig(RunConfig):
    """Preference optimization; see training/train/dpo.py."""

    start: str | None = "sft"
    learning_rate: float = Field(default=5e-5, gt=0)
    beta: float = Field(default=0.1, gt=0)
    smoothing: float = Field(default=0.1, ge=0, lt=0.5, description="share of pairs that may be the wrong way round")
    likelihood: float = Field(default=0.2, ge=0, description="weight of the chosen answer's own likelihood")
