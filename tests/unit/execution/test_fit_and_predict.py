"""A task carried out in this process: newcomers, raw answers beside the lists, the size on disk, broken powers."""

import json
import os
import signal
import socket
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfbench.data.dataset import Entities
from cfbench.data.splits.split import Fold, Split
from cfbench.execution.contract import Task
from cfbench.execution.fit_and_predict import perform
from cfbench.execution.outcome_file import digests_of, read_outcome, seal_of, write_outcome
from cfbench.inference.inputs import EvaluationInputs
from cfbench.inference.pair_order import PairOrder

MODELS = '''
import signal
import numpy as np
from dataclasses import dataclass
from cfbench.model.protocols import Embeddings, EpochReport


@dataclass
class Plain:
    """Scores an item with its code, and 100 for every user code."""

    def fit(self, train, context):
        self.n_ = (train.n_users, train.n_items)
        self.features_ = (train.user_features, train.item_features)

    def predict(self, users, items):
        return users * 100.0 + items

    def score_items(self, users):
        return users[:, None] * 100.0 + np.arange(self.n_[1])


@dataclass
class Ranker:
    def fit(self, train, context):
        self.n_items_ = train.n_items

    def score_items(self, users):
        return np.tile(np.arange(self.n_items_, dtype=np.float32), (len(users), 1))


@dataclass
class Host(Plain):
    def add_cold_entities(self, users, items):
        assert users is None
        assert items.columns["genres"].tolist() == ["War", "War|Drama"]
        assert self.features_[1].columns["genres"].tolist() == ["Comedy", "Drama"]


@dataclass
class Shown(Plain):
    def embeddings(self):
        return Embeddings(np.ones((self.n_[0], 2)), np.arange(self.n_[1] * 3.0).reshape(-1, 3))


@dataclass
class Ranged(Plain):
    def rating_range(self):
        return 0, 203.5


@dataclass
class Unlimited(Plain):
    def rating_range(self):
        return None


@dataclass
class Empty(Plain):
    def embeddings(self):
        return Embeddings(np.ones((self.n_[0], 0)), np.ones((self.n_[1], 0)))


@dataclass
class Short(Plain):
    def embeddings(self):
        return Embeddings(np.ones((self.n_[0], 2)), np.ones((self.n_[1] - 1, 2)))


@dataclass
class Raising(Plain):
    def embeddings(self):
        raise KeyError("lost")


@dataclass
class Kept(Plain):
    def save(self, directory):
        (directory / "a.bin").write_bytes(bytes(1000))
        (directory / "sub").mkdir()
        (directory / "sub" / "b.json").write_text("{}")

    @classmethod
    def load(cls, directory):
        return cls()


@dataclass
class Greedy(Plain):
    def fit(self, train, context):
        np.empty((1 << 40, 1 << 10))


@dataclass
class TorchLike(Plain):
    def fit(self, train, context):
        try:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        except RuntimeError as error:
            raise ValueError("fit failed") from error


@dataclass
class Interrupting(Plain):
    def fit(self, train, context):
        raise KeyboardInterrupt


@dataclass
class Interrupted(Plain):
    def fit(self, train, context):
        signal.raise_signal(signal.SIGINT)


@dataclass
class Deaf(Plain):
    """Takes an interrupt for a failure of its own, and handles further ones itself."""

    def fit(self, train, context):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        super().fit(train, context)


@dataclass
class Hurried(Interrupted):
    def fit(self, train, context):
        try:
            super().fit(train, context)
        except KeyboardInterrupt:
            raise ValueError("a failure of its own")


@dataclass
class Endless(Plain):
    def fit(self, train, context):
        context.on_epoch(EpochReport(1, -1, 0.5))


@dataclass
class Placed(Plain):
    device_ = "cuda:\\ud800 0"


@dataclass
class Unkept(Kept):
    def save(self, directory):
        raise OSError("disk full")
'''


@pytest.fixture
def work(make_split, tmp_path, monkeypatch):
    """Carry out a task of one of the models above; returns the delivered and collected outcome."""
    (tmp_path / "models_at_work.py").write_text(MODELS)
    monkeypatch.syspath_prepend(tmp_path)
    bare = make_split([(0, 4, 5), (1, 0, 3), (1, 4, 1)], [(4, 3, 2), (2, 4, 4), (1, 1, 3)])
    genres = np.array(["Drama", "War", "", "War|Drama", "Comedy"])
    dataset = replace(bare.dataset, items=Entities(bare.dataset.items.ids, {"genres": genres}))
    split = Split.of(dataset, "x", Fold("", bare.train_rows, bare.test_rows))
    (tmp_path / "inputs").mkdir()
    EvaluationInputs.of(split).write(tmp_path / "inputs")

    def carry_out(model):
        output = tmp_path / "output"
        output.mkdir()
        task = Task(
            name="key", distribution="tests", label=model.lower(), import_path=f"models_at_work:{model}", params={},
            inputs=str(tmp_path / "inputs"), folder=str(output), log="", seed=1, list_length=2, device="cpu",
            threads=1, save=True,
        )  # fmt: skip
        write_outcome(perform(task, lambda report: None))
        outcome = read_outcome(task)
        if outcome.output is None:
            return outcome
        return replace(outcome, output=PairOrder.of(split).in_split_order(outcome.output))

    return carry_out


def test_a_model_without_introduce_sees_unknown_codes_and_no_introduction(work):
    outcome = work("Plain")
    assert outcome.output.predictions.tolist() == [202, 200, 102]
    assert "add_cold_entities" not in outcome.cost.seconds


def test_newcomers_are_introduced_before_they_are_asked_about(work):
    outcome = work("Host")
    assert outcome.status == "ok", outcome.reason
    assert outcome.output.predictions.tolist() == [203, 200, 102]  # items 3 and 1 are newcomers, of codes 3 and 2
    assert outcome.output.lists.shape == (3, 2)
    assert outcome.cost.seconds["add_cold_entities"] >= 0


def test_training_rows_are_predicted_outside_the_clock_of_predictions(work):
    outcome = work("Plain")
    assert outcome.output.train_rows.tolist() == [0, 1, 2]
    assert outcome.output.train_predictions.tolist() == [0, 101, 100]
    assert outcome.cost.seconds["check"] >= 0


def test_mean_scores_come_with_the_lists(work):
    assert work("Plain").output.score_means.tolist() == [[100, 101], [200, 201]]


def test_a_pure_ranker_predicts_no_training_rows(work):
    answers = work("Ranker").output
    assert answers.predictions is None
    assert answers.train_rows is None
    assert answers.train_predictions is None
    assert answers.score_means.tolist() == [[0, 1], [0, 1]]


def test_the_range_of_ratings_that_a_model_states_is_delivered_after_fitting(work):
    stated = work("Ranged").output.rating_range
    assert stated.tolist() == [0, 203.5]
    assert stated.dtype == np.float64


@pytest.mark.parametrize("model", ["Plain", "Unlimited"])
def test_a_model_that_states_no_range_has_none(work, model):
    assert work(model).output.rating_range is None


def test_item_factors_are_kept_in_single_precision(work):
    factors = work("Shown").output.item_factors
    assert factors.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert factors.dtype == np.float32


@pytest.mark.parametrize("model", ["Plain", "Empty"])
def test_a_model_without_factors_has_none(work, model):
    assert work(model).output.item_factors is None


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("Short", r"Short.embeddings().items must return an array of shape (2, 2), got (1, 2)"),
        ("Raising", "Raising.embeddings raised KeyError: 'lost'"),
    ],
)
def test_a_broken_power_fails_the_cell_and_is_named(work, model, reason):
    outcome = work(model)
    assert outcome.status == "failed"
    assert outcome.reason.startswith(reason)
    assert outcome.output is None


def test_the_size_of_a_saved_model_is_measured_and_it_is_left_beside_the_answers(work, tmp_path):
    outcome = work("Kept")
    assert outcome.cost.model_bytes == 1002
    assert {path.name for path in (tmp_path / "output").iterdir()} == {"answers", "saved"}
    assert set(outcome.cost.seconds) >= {"fit", "predict", "rank", "check", "save"}


def test_a_model_that_fails_to_save_itself_keeps_its_answers(work, tmp_path, capfd):
    outcome = work("Unkept")
    assert outcome.status == "ok"
    assert outcome.output is not None
    assert outcome.cost.model_bytes is None
    assert not (tmp_path / "output" / "saved").exists()
    assert "disk full" in capfd.readouterr().err


def test_a_model_that_cannot_be_saved_has_no_size(work):
    outcome = work("Plain")
    assert outcome.cost.model_bytes is None
    assert Path(outcome.task.folder).is_dir()


@pytest.fixture
def handlers():
    """Look up the handlers of signals by which a user ends a run; those of before come back."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(one) for one in ends]
    yield lambda: [signal.getsignal(one) for one in ends]
    for one, handler in zip(ends, before, strict=True):
        signal.signal(one, handler)


def test_an_interrupt_that_a_model_raises_is_its_failure(work, handlers):
    before = handlers()
    outcome = work("Interrupting")
    assert (outcome.status, outcome.output) == ("failed", None)
    assert outcome.reason.startswith("KeyboardInterrupt, raised in models_at_work.py, line ")
    assert handlers() == before


@pytest.mark.parametrize("model", ["Interrupted", "Deaf", "Hurried"])
def test_an_interrupt_by_a_signal_is_no_failure_of_the_model_whatever_it_makes_of_it(work, handlers, model):
    before = handlers()
    with pytest.raises(KeyboardInterrupt):
        work(model)
    assert handlers() == before


def test_handlers_that_the_user_has_set_himself_are_called_and_end_no_cell_if_they_do_not_raise(work, handlers):
    called = []
    signal.signal(signal.SIGINT, lambda number, frame: called.append(number))
    assert work("Interrupted").status == "failed", "it has fitted nothing"
    assert called == [signal.SIGINT]


def test_in_another_thread_an_interrupt_that_a_model_raises_is_its_failure_too(work, handlers):
    before, outcomes = handlers(), []
    thread = threading.Thread(target=lambda: outcomes.append(work("Interrupting")))
    thread.start()
    thread.join()
    assert [outcome.status for outcome in outcomes] == ["failed"]
    assert handlers() == before


def test_a_first_epoch_out_of_bounds_is_told_and_leaves_no_learning_curve(work):
    outcome = work("Endless")
    assert (outcome.status, outcome.losses) == ("failed", ())
    assert "expected numbers from 0 to" in outcome.reason


def test_half_of_a_character_in_the_name_of_a_device_costs_no_answers(work):
    assert work("Placed").cost.device == "cuda:? 0"


@pytest.mark.parametrize("model", ["Greedy", "TorchLike"])
def test_a_refused_allocation_is_told_from_other_failures_whoever_raises_it(work, model):
    assert work(model).status == "out-of-memory"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"status": "ok", "answers": null}',
        '{"status": "wonderful", "answers": null, "reason": "", "cost": {}, "losses": [], "versions": {}}',
        '{"status": "ok", "answers": ["../x"], "reason": "", "cost": {}, "losses": [], "versions": {}}',
        '{"status": "failed", "answers": null, "reason": "", "cost": {"seconds": "x"}, "losses": [], "versions": {}}',
    ],
)
def test_an_outcome_that_a_model_has_tampered_with_is_a_failure_and_no_error_of_the_run(work, tmp_path, text):
    task = work("Plain").task
    (tmp_path / "output" / "answers" / "outcome.json").write_text(text)
    assert "cannot be read" in read_outcome(task).reason


def header(shape, descr="<f4", *, fortran_order=False, version=1):
    text = repr({"descr": descr, "fortran_order": fortran_order, "shape": shape})[:-1] + ", }\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (header((1 << 50,)), "predictions have shape"),
        # Three test rows, two decoys and three training rows are asked about.
        (header((8,)), "not as large as its header claims"),
        (header((8,)) + bytes(33), "not as large as its header claims"),
        (header((8,)) + bytes(31), "not as large as its header claims"),
        (header((3,)) + bytes(12), "predictions have shape"),
        (header((8, 1)) + bytes(32), "predictions have shape"),
        (header((8,), ">f4") + bytes(32), "must be float32"),
        (header((8,), "<f8") + bytes(64), "must be float32"),
        (header((3,), "|O") + bytes(24), "no array of plain numbers"),
        (header((3,), [("a", "<f4")]) + bytes(12), "no array of plain numbers"),
        (header((3,), version=3) + bytes(12), "is no array"),
        (b"", "is no array"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "no array of plain numbers"),
    ],
)
def test_an_array_is_held_against_the_task_by_its_header_before_it_is_read(work, tmp_path, content, reason):
    task = work("Plain").task
    (tmp_path / "output" / "answers" / "predictions.npy").write_bytes(content)
    assert "predictions.npy" not in digests_of(task)
    assert reason in read_outcome(task).reason


def test_arrays_in_another_order_or_version_of_the_format_are_read_as_they_are(work, tmp_path):
    task, lists = work("Plain").task, np.array([[0, 1], [1, 2], [0, 2]], dtype=np.int32)
    path = tmp_path / "output" / "answers" / "lists.npy"
    path.write_bytes(header((3, 2), "<i4", fortran_order=True) + lists.T.tobytes())
    assert read_outcome(task).output.lists.tolist() == lists.tolist()
    path.write_bytes(header((3, 2), "<i4", version=2) + lists.tobytes())
    assert read_outcome(task).output.lists.tolist() == lists.tolist()


def test_a_sparse_file_of_gigabytes_is_refused_by_its_size(work, tmp_path):
    task = work("Plain").task
    for name in ("predictions.npy", "outcome.json"):
        os.truncate(tmp_path / "output" / "answers" / name, 6 << 30)
        assert name not in digests_of(task)
        assert read_outcome(task).status == "failed"


@pytest.mark.parametrize("name", ["outcome.json", "predictions.npy"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "socket"])
def test_what_is_no_plain_file_is_a_failure_and_holds_nobody_up(work, tmp_path, monkeypatch, name, kind):
    task = work("Plain").task
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path, elsewhere = Path("output/answers", name), tmp_path / "elsewhere"
    path.replace(elsewhere)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(elsewhere)
        case "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(path))
    assert name not in digests_of(task)
    assert read_outcome(task).reason.startswith("its process left an outcome that cannot be read")


def test_anothers_answers_behind_a_link_are_not_its_own(work, tmp_path):
    task = work("Plain").task
    answers = tmp_path / "output" / "answers"
    answers.rename(tmp_path / "anothers")
    answers.symlink_to(tmp_path / "anothers")
    assert digests_of(task) == {}
    assert read_outcome(task).status == "failed"


@pytest.mark.parametrize("change", ["bytes", "array more", "array less", "other outcome"])
def test_answers_that_were_changed_after_they_were_sealed_are_refused(work, tmp_path, change):
    task = work("Shown").task
    seal, answers = seal_of(digests_of(task)), tmp_path / "output" / "answers"
    assert read_outcome(task, seal).status == "ok"
    match change:
        case "bytes":
            path = answers / "predictions.npy"
            path.write_bytes(path.read_bytes()[:-4] + np.float32(5).tobytes())
        case "array more":
            np.save(answers / "rating_range.npy", np.array([1.0, 5.0]))
        case "array less":
            (answers / "item_factors.npy").unlink()
        case "other outcome":
            path = answers / "outcome.json"
            path.write_text(path.read_text().replace('"fit": ', '"fit": 1'))
    if change.startswith("array"):
        path = answers / "outcome.json"
        names = set(json.loads(path.read_text())["answers"]) ^ {"rating_range" if "more" in change else "item_factors"}
        path.write_text(json.dumps({**json.loads(path.read_text()), "answers": list(names)}))
    assert read_outcome(task).status == "ok"
    assert "changed after the cell had ended" in read_outcome(task, seal).reason
    assert "changed after the cell had ended" in read_outcome(task, "").reason


def test_a_seal_covers_names_and_bytes_and_nothing_else_in_the_folder(work, tmp_path):
    task = work("Plain").task
    seal, answers = seal_of(digests_of(task)), tmp_path / "output" / "answers"
    assert len(seal) == 64
    (answers / "litter").mkdir()
    assert seal_of(digests_of(task)) == seal
    (answers / "predictions.npy").rename(answers / "train_predictions.npy")
    assert seal_of(digests_of(task)) != seal


def test_no_outcome_is_none(work, tmp_path):
    task = work("Plain").task
    (tmp_path / "output" / "answers" / "outcome.json").unlink()
    assert read_outcome(task) is None
