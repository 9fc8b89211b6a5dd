"""The label stage with a teacher that follows a script."""

import functools
import gc
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from querygist.errors import ConfigurationError, EngineUnavailable
from training.config import Config, DataConfig, LabelConfig
from training.data.examples import Example, read_examples, write_examples
from training.generate import label, label_filters
from training.generate.generator import GREEDY, Generated, Sampling

NIGHT = "Owls hunt at night because mice are awake then."
EYES = "Their eyes are large, and see well in the dark."
BOTH = f"{NIGHT} {EYES}"
DOCUMENT = f"{BOTH} Nobody has ever asked the mice what they think of it."
QUERY = "why do owls hunt at night"
RULES = LabelConfig(num_generations=1, temperature=0, min_words=5)


class Scripted:
    """Writes, for each document, the summaries that `script` has for it; "" refuses. Breaks at `broken`."""

    name = "scripted teacher"

    def __init__(self, script: dict[str, list[str]], broken: str = "") -> None:
        self.script = script
        self.broken = broken
        self.asked: list[str] = []
        self.closed = 0

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        for example in examples:
            if example.id == self.broken:
                raise EngineUnavailable(f"The teacher broke at {example.id}.")
            self.asked.append(example.id)
            texts = self.script.get(example.id, [NIGHT])[: sampling.count]
            yield [Generated(text, bool(text), tokens=10) for text in texts]

    def close(self) -> None:
        self.closed += 1


def example(id_: str = "a", **fields: Any) -> Example:
    return Example(**{
        "id": id_, "source": "made", "query": QUERY, "document": f"{DOCUMENT} This is {id_}.", "summary": "Withheld.",
        "max_words": 20, "kind": "positive", "derived": False,
    } | fields)  # fmt: skip


def run(folder: Path, teacher: Scripted, **rules: Any) -> str:
    recipe = LabelConfig.model_validate(RULES.model_dump() | rules)
    config = Config(seed=1, work_dir=folder, data=DataConfig(files=[Path("none")]), label=recipe)
    text = io.StringIO()
    label.run(config, Console(file=text, width=300), lambda: teacher)
    return text.getvalue()


def judged(*texts: str, query: str = QUERY, max_words: int = 20, **rules: Any) -> dict[str, Any]:
    samples = [Generated(text, bool(text)) for text in texts]
    recipe = LabelConfig.model_validate(RULES.model_dump() | rules)
    return label_filters.select_label(example(query=query, max_words=max_words), samples, recipe, 1)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (NIGHT, "kept"),
        ("", "refused"),
        ("Owls hunt at night.", "too short"),
        (DOCUMENT, "too long"),
        (NIGHT.rstrip("."), "unfinished"),
        ("At night the mice wake up and so the owl goes hunting.", "not copied"),
    ],
)
def test_each_filter(text: str, outcome: str) -> None:
    row = judged(text)
    assert (row["outcome"], row["samples"]) == (outcome, [outcome])
    assert (row["label"] is not None) == (outcome == "kept")


@pytest.mark.parametrize("made_up", ["in 1987", "near Madrid"])
def test_a_label_with_something_made_up(made_up: str) -> None:
    assert judged(f"Owls hunt at night {made_up} because mice are awake then.", min_copied=0.5)["outcome"] == "invented"


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (EYES, NIGHT),  # as much copied, but it says nothing of the query
        (f"Well, {BOTH[0].lower()}{BOTH[1:]}", EYES),  # copied but for its first word
        (NIGHT, BOTH),  # both say all of the query; 18 words are nearer to 20
    ],
)
def test_the_best_wins_wherever_it_stands(worse: str, better: str) -> None:
    for texts in ([worse, better], [better, worse, ""]):
        assert judged(*texts, num_generations=3, temperature=1)["label"]["summary"] == better


def test_what_agrees_with_the_others_wins() -> None:
    texts = (f"{BOTH} Nobody has ever asked the mice what they think of it.", NIGHT, f"{NIGHT} {EYES}")
    assert judged(*texts, num_generations=3, temperature=1, max_words=40)["label"]["summary"] == BOTH
    assert judged(EYES, NIGHT, EYES, num_generations=3, temperature=1)["label"]["summary"] == EYES


def test_the_first_of_equal_samples_wins() -> None:
    row = judged("", "Owls hunt.", "Owls hunt at night, they say, and not by day.", num_generations=3, temperature=1)
    assert row["samples"] == ["refused", "too short", "not copied"]
    assert row["outcome"] == "not copied"
    assert row["label"] is None


def test_a_label_is_an_example_that_asks_for_its_own_length() -> None:
    made = Example(**{**judged(NIGHT, max_words=100)["label"], "references": ()})
    assert (made.id, made.source, made.kind, made.derived, made.summary) == ("a-label", "made", "positive", True, NIGHT)
    assert len(NIGHT.split()) <= made.max_words <= 15


def test_positives_are_labelled_without_their_summaries(tmp_path: Path) -> None:
    negative = example("n", kind="hard")
    again = example("again", query=QUERY.upper(), document=example("a").document.replace(",", ""))
    write_examples(tmp_path / "train.jsonl", [example("a"), negative, again, example("b"), example("c")])
    teacher = Scripted({"b": [""], "c": ["Owls sleep."]})
    told = run(tmp_path, teacher)
    assert teacher.asked == ["a", "b", "c"]
    assert [one.id for one in read_examples(tmp_path / "labels.jsonl")] == ["a-label"]
    report = json.loads((tmp_path / "labels-report.json").read_text())
    assert (report["teacher"], report["asked"], report["repeated"]) == ("scripted teacher", 3, 1)
    assert {name: count for name, count in report["documents"].items() if count} == {
        "kept": 1, "refused": 1, "too short": 1,
    }  # fmt: skip
    assert (report["documents"]["refused"], report["samples"]["refused"]) == (1, 1)
    assert "1 of 3 documents labelled" in told
    assert teacher.closed == 1


def test_what_is_done_is_not_done_again_until_something_changes(tmp_path: Path) -> None:
    write_examples(tmp_path / "train.jsonl", [example("a")])
    run(tmp_path, Scripted({}))
    again = Scripted({})
    assert "already done" in run(tmp_path, again)
    assert (again.asked, again.closed) == ([], 1)
    other = Scripted({})
    run(tmp_path, other, min_words=6)
    assert other.asked == ["a"]
    another = Scripted({})
    another.name = "another teacher"
    run(tmp_path, another, min_words=6)
    assert another.asked == ["a"]


def test_a_stopped_run_resumes_with_the_missing_shards(tmp_path: Path) -> None:
    for name in ("stopped", "straight"):
        write_examples(tmp_path / name / "train.jsonl", [example(str(i)) for i in range(7)])
    first, second = Scripted({}, broken="5"), Scripted({})
    with pytest.raises(EngineUnavailable, match="broke at 5"):
        run(tmp_path / "stopped", first, shard_size=2)
    assert (first.asked, first.closed) == (list("01234"), 1)
    shards = tmp_path / "stopped/label"
    assert sorted(path.name for path in shards.glob("shard-*")) == ["shard-00000.jsonl", "shard-00001.jsonl"]
    run(tmp_path / "stopped", second, shard_size=2)
    assert second.asked == list("456")
    run(tmp_path / "straight", Scripted({}), shard_size=2)
    assert (tmp_path / "stopped/labels.jsonl").read_bytes() == (tmp_path / "straight/labels.jsonl").read_bytes()
    metrics = [json.loads(line) for line in (shards / "metrics.jsonl").read_text().splitlines()]
    assert [(line["shard"], line["documents"], line["tokens"]) for line in metrics] == [
        (0, 2, 20), (1, 2, 20), (2, 2, 20), (3, 1, 10),
    ]  # fmt: skip


def rows(path: Path, *lines: dict[str, Any] | str) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return path


def test_files_of_ones_own(tmp_path: Path) -> None:
    write_examples(tmp_path / "test.jsonl", [example("t", document="Bees dance for each other in the hive.")])
    file = rows(
        tmp_path / "pages.jsonl",
        {"id": "1", "query": " why ", "document": f"{DOCUMENT}\u200b"},
        {"id": "2", "query": QUERY, "document": DOCUMENT, "max_words": 30, "source": "web"},
        {"id": "3", "query": QUERY, "document": DOCUMENT},
    )
    teacher = Scripted({})
    run(tmp_path, teacher, files=[file], limit=2)
    assert teacher.asked == ["1", "2"], "the third is the second again"
    found = read_examples(tmp_path / "labels.jsonl")
    assert [(one.source, one.query, one.document) for one in found] == [
        ("pages", "why", DOCUMENT), ("web", QUERY, DOCUMENT),
    ]  # fmt: skip


def test_all_bad_rows_are_told_and_nothing_is_quoted(tmp_path: Path) -> None:
    write_examples(tmp_path / "test.jsonl", [example("t")])
    good = {"id": "1", "query": QUERY, "document": DOCUMENT}
    file = rows(
        tmp_path / "pages.jsonl", good, "{", good, {"id": "2", "query": "why"}, good | {"id": "3", "max_words": 500},
        good | {"id": "4", "query": " "}, good | {"id": "5", "summary": "Owls."},
    )  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        run(tmp_path, Scripted({}), files=[file])
    detail = caught.value.detail
    assert "6 of 7 rows cannot be used" in detail
    for place in (
        "2: ",
        "3: id: 1 is there already",
        "4: document: ",
        "5: max_words: ",
        "6: query: The query",
        "7: summary: ",
    ):
        assert f"pages.jsonl:{place}" in detail
    assert "mice" not in detail


def test_a_test_document_among_the_files_stops_the_run(tmp_path: Path) -> None:
    write_examples(tmp_path / "test.jsonl", [example("t")])
    file = rows(tmp_path / "pages.jsonl", {"id": "1", "query": "other", "document": f"Said elsewhere. {DOCUMENT}"})
    with pytest.raises(ConfigurationError, match=r"1 \(training or validation\) and t \(test\)"):
        run(tmp_path, Scripted({}), files=[file])


def test_nothing_to_label(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Run the data stage"):
        run(tmp_path, Scripted({}))
    write_examples(tmp_path / "train.jsonl", [example("n", kind="hard")])
    with pytest.raises(ConfigurationError, match="nothing to label"):
        run(tmp_path, Scripted({}))


def test_samples_without_chance_are_refused() -> None:
    with pytest.raises(ValueError, match="4 samples at temperature 0"):
        LabelConfig(num_generations=4, temperature=0)


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:`use_:DeprecationWarning")  # ray 2.60 warns of its own defaults
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # and leaves its processes' ends to the garbage collector
def test_ray_makes_the_same_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    script = {"3": [""], "4": [BOTH]}
    config = {}
    for name in ("plain", "ray", "broken"):
        write_examples(tmp_path / name / "train.jsonl", [example(str(i)) for i in range(5)])
        recipe = LabelConfig.model_validate(RULES.model_dump() | {"shard_size": 2, "ray": name != "plain"})
        config[name] = Config(
            seed=1, work_dir=tmp_path / name, data=DataConfig(files=[Path("none")]), label=recipe
        )  # fmt: skip
    console = Console(file=io.StringIO())
    label.run(config["plain"], console, functools.partial(Scripted, script))
    try:
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
        label.run(config["ray"], console, functools.partial(Scripted, script))
        with pytest.raises(EngineUnavailable, match="broke at 3"):
            label.run(config["broken"], console, functools.partial(Scripted, script, broken="3"))
    finally:
        ray.shutdown()
        gc.collect()  # here, where its warnings are expected, and not in a later test
    assert (tmp_path / "ray/labels.jsonl").read_bytes() == (tmp_path / "plain/labels.jsonl").read_bytes()
    assert len(read_examples(tmp_path / "ray/labels.jsonl")) == 4
