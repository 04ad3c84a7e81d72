"""The rules on saved models notice what they are there for."""

import json
import pickle
from dataclasses import asdict, dataclass

import numpy as np
import pytest

from cfbench.model import Embeddings, load_parts, save_parts
from cfbench.testing import checks_for, random_ratings, require_the_same_in_a_new_process

KIND = "test.keeper.1"
ALIKE = "a loaded model gives the output of the saved one, to the bit"
PARAMETERS = "a loaded model has the parameters of the saved one"
COLD = "a loaded model takes cold-start entities as the saved one does, to the bit"
EMBEDDINGS = "a loaded model has the embeddings of the saved one, to the bit"
FORM = "saved files are arrays and JSON, never pickle"
DAMAGE = "saved files that are damaged or missing are refused"
OTHERS = "empty folders and those of another kind of model are refused"
RULES = {ALIKE, PARAMETERS, COLD, EMBEDDINGS, FORM, DAMAGE, OTHERS}


@dataclass
class Keeper:
    """Item means with one more rating of ``pull`` each; a new item has the mean of its year."""

    pull: float = 3.0
    sizes: tuple[int, ...] = (1, 2)

    def fit(self, train, context):
        sums = np.bincount(train.items, weights=train.ratings, minlength=train.n_items + 1) + self.pull
        self.items_ = sums / (np.bincount(train.items, minlength=train.n_items + 1) + 1)
        self.n_items_ = train.n_items

    def add_cold_entities(self, users, items):
        if items is not None:
            self.items_ = np.concatenate([self.items_[:-1], items.columns["year"] / 1000 + self.pull, [self.pull]])

    def predict(self, users, items):
        return self.items_[items]

    def score_items(self, users):
        return np.repeat(self.items_[None, : self.n_items_], len(users), axis=0)

    def embeddings(self):
        return Embeddings(np.zeros((24, 1)), np.ones((self.n_items_, 1)), offset=self.items_[0])

    def save(self, directory):
        save_parts(directory, KIND, {"items": self.items_}, {"parameters": asdict(self), "n_items": self.n_items_})

    @classmethod
    def load(cls, directory):
        arrays, facts = load_parts(directory, KIND)
        model = cls(facts["parameters"]["pull"], tuple(facts["parameters"]["sizes"]))
        model.items_, model.n_items_ = arrays["items"], facts["n_items"]
        return model


def broken_saving_rules(model):
    found = []
    for check in checks_for(model, name="keeper"):
        if check.rule.name not in RULES:
            continue
        try:
            check()
        except AssertionError:
            found.append(check.rule.name)
    return found


def variant(**methods):
    return dataclass(type("Variant", (Keeper,), methods))


def loaded_then(change):
    def load(cls, directory):
        model = Keeper.load.__func__(cls, directory)
        return change(model) or model

    return classmethod(load)


def saved_then(change):
    def save(self, directory):
        Keeper.save(self, directory)
        change(self, directory)

    return save


def saved_in_single_precision(self, directory):
    save_parts(
        directory,
        KIND,
        {"items": self.items_.astype(np.float32)},
        {"parameters": asdict(self), "n_items": self.n_items_},
    )


def unsealed_save(self, directory):
    np.savez(directory / "model.npz", items=self.items_, parameters=[self.pull, *self.sizes, self.n_items_])


def unsealed_load(cls, directory):
    with np.load(directory / "model.npz") as arrays:
        pull, one, two, n_items = arrays["parameters"].tolist()
        model = cls(pull, (int(one), int(two)))
        model.items_, model.n_items_ = arrays["items"], int(n_items)
        return model


def unchecked_load(cls, directory):
    facts = json.loads((directory / "model.json").read_text())["facts"]
    with np.load(directory / "model.npz") as arrays:
        model = cls(facts["parameters"]["pull"], tuple(facts["parameters"]["sizes"]))
        model.items_, model.n_items_ = arrays["items"], facts["n_items"]
        return model


def forget_the_years(model):
    model.add_cold_entities = lambda users, items: setattr(
        model, "items_", np.append(model.items_, np.full(4 if items is not None else 0, 3.0))
    )


MUTANTS = {
    "no load": ({"load": None}, {ALIKE, PARAMETERS}),
    "single precision": ({"save": saved_in_single_precision}, {ALIKE}),
    "saving moves answers": (
        {"save": saved_then(lambda self, directory: setattr(self, "items_", self.items_ + 1))},
        {ALIKE},
    ),
    "lists for tuples": ({"load": loaded_then(lambda model: setattr(model, "sizes", [1, 2]))}, {PARAMETERS}),
    "defaults for parameters": ({"load": loaded_then(lambda model: setattr(model, "pull", 4.0))}, {PARAMETERS}),
    "cold-start entities forgotten": ({"load": loaded_then(forget_the_years)}, {COLD}),
    "embeddings forgotten": (
        {"load": loaded_then(lambda model: setattr(model, "embeddings", lambda: Embeddings(np.zeros(1), np.zeros(1))))},
        {EMBEDDINGS},
    ),
    "a pickle": (
        {"save": saved_then(lambda self, directory: (directory / "more.pkl").write_bytes(pickle.dumps(self.pull)))},
        {FORM},
    ),
    "a pickle within an array": (
        {
            "save": saved_then(
                lambda self, directory: np.save(directory / "more.npy", np.array([{}], dtype=object), allow_pickle=True)
            )
        },
        {FORM},
    ),
    "nothing written": ({"save": lambda self, directory: None, "load": classmethod(lambda cls, _: cls())}, {FORM}),
    "no seal": ({"save": unsealed_save, "load": classmethod(unsealed_load)}, {DAMAGE, OTHERS}),
    "a seal that is not looked at": ({"load": classmethod(unchecked_load)}, {DAMAGE, OTHERS}),
}


def test_a_model_that_is_saved_by_the_book_breaks_no_rule():
    assert broken_saving_rules(Keeper) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_of_saving_is_noticed_by_its_check(name):
    methods, noticing = MUTANTS[name]
    assert noticing <= set(broken_saving_rules(variant(**methods)))


def test_rules_of_saving_bind_only_models_that_save():
    @dataclass
    class Forgetful:
        fit, predict = Keeper.fit, Keeper.predict

    assert not RULES & {check.rule.name for check in checks_for(Forgetful)}
    assert {check.rule.name for check in checks_for(Keeper)} >= RULES


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """``Saved``, a class in a module that another process can import."""
    (tmp_path / "acme_saved.py").write_text(
        "import numpy as np\n"
        "from cfbench.model.saving import load_parts, save_parts\n\n\n"
        "class Saved:\n"
        "    process = None\n\n"
        "    def __init__(self, items):\n"
        "        self.items = items\n\n"
        "    def predict(self, users, items):\n"
        "        return self.items[items]\n\n"
        "    def save(self, directory):\n"
        "        save_parts(directory, 'acme.saved.1', {'items': self.items})\n\n"
        "    @classmethod\n"
        "    def load(cls, directory):\n"
        "        model = cls(load_parts(directory, 'acme.saved.1')[0]['items'])\n"
        "        return model if cls.process is None else cls(model.items + cls.process)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    from acme_saved import Saved

    return Saved, tmp_path / "acme_saved.py"


def test_a_saved_model_is_asked_again_in_a_new_process(importable):
    train = random_ratings()
    model, source = importable[0](np.arange(train.n_items + 1) / 3), importable[1]
    require_the_same_in_a_new_process(model, train)
    source.write_text(source.read_text().replace("process = None", "process = 1"))
    with pytest.raises(AssertionError, match=r"Saved\.predict gives another output in a new process"):
        require_the_same_in_a_new_process(model, train)
    source.write_text("class Saved:\n    pass\n")
    with pytest.raises(AssertionError, match=r"(?s)Saved cannot be loaded and queried in a new process:.*has no attr"):
        require_the_same_in_a_new_process(model, train)
