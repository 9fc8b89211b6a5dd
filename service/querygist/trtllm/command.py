"""`build-engine`: from a TensorRT-LLM checkpoint to two model repositories, with lookahead decoding and without."""

from pathlib import Path

from rich.console import Console

from querygist.errors import ConfigurationError
from querygist.triton_backend.inputs import MAX_SEQ_LEN
from querygist.triton_backend.lookahead import Lookahead
from querygist.triton_server import repository
from querygist.trtllm.build import Recipe, build, limits_for
from querygist.trtllm.checkpoint import Checkpoint
from querygist.trtllm.container import IMAGE, Container
from querygist.trtllm.limits import check
from querygist.trtllm.machine import Machine


def run(
    checkpoint: Path,
    out: Path,
    console: Console,
    *,
    lookahead: str | None = None,
    max_seq_len: int | None = None,
    served_from: Path | None = None,
    here: bool = False,
) -> None:
    """Build `out`/lookahead and `out`/plain, in the pinned container or, with `here`, as whoever is inside of it.

    `lookahead` is "W,N,G", `max_seq_len` in tokens; without, they are those of the committed config.pbtxt and of the
    CPU model. `served_from`: where the server will find `out`. Raises QuerygistError.
    """
    read = Checkpoint.read(checkpoint)
    limits = limits_for(read, max_seq_len or MAX_SEQ_LEN)
    out.mkdir(parents=True, exist_ok=True)
    container = Container(None if here else IMAGE, (checkpoint, out))
    machine = Machine.ask(container)
    recipes = [Recipe("lookahead", read, parse(lookahead), limits), Recipe("plain", read, None, limits)]
    for recipe in recipes:  # both of them, before the first minutes are spent
        check(limits, recipe.lookahead, read, machine.compute_capability)
    for recipe in recipes:
        with console.status(f"building {recipe.name}: some minutes; its log is {out / recipe.name}.log"):
            made = build(recipe, container, machine, out, served_from=served_from)
        drafts = recipe.lookahead.max_draft_len if recipe.lookahead else 0
        console.print(f"build-engine: {made}, {drafts} draft tokens in a pass, for {machine.gpu}")


def parse(text: str | None) -> Lookahead:
    """W,N,G; that of the committed config.pbtxt for None. Raises ConfigurationError."""
    shipped = repository.lookahead(repository.load_config(repository.GPU_MODEL))
    if text is None:
        return Lookahead(*shipped)
    try:
        window, ngram, verification_set = map(int, text.split(","))
        found = Lookahead(window, ngram, verification_set)
        if not found.max_draft_len:
            raise ValueError("it drafts nothing: that is the engine `plain`, which is built as well")
    except ValueError as error:
        raise ConfigurationError(
            f"The lookahead {text!r} cannot be built ({error}). Write W,N,G such as {','.join(map(str, shipped))}."
        ) from error
    return found
