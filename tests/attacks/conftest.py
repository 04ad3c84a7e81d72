"""Attacking plugins, each a distribution of its own, installed beside honest ones into an environment of their own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sysconfig
import uuid
import venv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import psutil
import pytest

PLUGINS = Path(__file__).parent / "plugins"
DATA = "synthetic[n_items=60,n_ratings=1500,n_users=80]"
"""The data that attacks are tried on, small and with something to learn."""

METRICS = "RMSE,NDCG@10,ARP@10,coverage@10"
"""What is measured: every prediction and every place of every list has its part in these."""


@dataclass
class Environment:
    """A virtual environment with the packages of the one that runs the tests, and plugins of its own.

    Attributes:
        root: its folder.
        home: the home of those who work in it, empty at first.
    """

    root: Path
    home: Path
    installed: set[str] = field(default_factory=set)

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.root / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where distributions are installed."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.root)}))

    def install(
        self, name: str, files: Mapping[str, bytes], *, models: Mapping[str, str], version: str = "1.0", **metadata: str
    ) -> None:
        """Install a distribution of the given files, as an installer would leave it.

        Args:
            name: the distribution's name.
            files: contents by path below the environment's packages.
            models: entry points, ``package.module:Class`` by name of the model.
            version: the distribution's version.
            metadata: further fields, e.g. ``Requires_Dist="numpy"``.
        """
        info = f"{re.sub('[-_.]+', '_', name)}-{version}.dist-info"
        fields = {"Metadata-Version": "2.1", "Name": name, "Version": version}
        fields |= {key.replace("_", "-"): value for key, value in metadata.items()}
        entries = "[cfbench.models]\n" + "".join(f"{model} = {value}\n" for model, value in models.items())
        texts = {"METADATA": "".join(f"{key}: {value}\n" for key, value in fields.items()), "entry_points.txt": entries}
        written = {**files, **{f"{info}/{file}": text.encode() for file, text in texts.items()}}
        for path, content in written.items():
            (self.packages / path).parent.mkdir(parents=True, exist_ok=True)
            (self.packages / path).write_bytes(content)
        lines = [f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in written.items()]
        (self.packages / info / "RECORD").write_text("".join([*lines, f"{info}/RECORD,,\n"]))
        self.installed.add(name)

    def install_attack(self, name: str, **options: str) -> None:
        """Install ``plugins/NAME.py`` as the distribution ``attack-NAME``: every public class is a model."""
        if f"attack-{name}" in self.installed:
            return
        source = (PLUGINS / f"{name}.py").read_text()
        classes = re.findall(r"^class ([A-Z]\w+)", source, re.MULTILINE)
        models = {one.lower(): f"attack_{name}:{one}" for one in classes}
        self.install(f"attack-{name}", {f"attack_{name}.py": source.encode()}, models=models, **options)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory) -> Callable[[], Environment]:
    """Make a virtual environment that sees the packages of this one; its own come first."""

    def make() -> Environment:
        root = tmp_path_factory.mktemp("environment")
        venv.create(root / "venv", symlinks=True)
        found = Environment(root / "venv", root / "home")
        found.home.mkdir()
        # As a .pth file of this environment's packages, so that their own .pth files, of editable installs, count too.
        line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (found.packages / "zz_shared.pth").write_text(line)
        return found

    return make


@pytest.fixture(scope="session")
def environment(make_environment) -> Environment:
    """The environment that attacks share which leave it as it was."""
    return make_environment()


@dataclass(frozen=True)
class Ran:
    """What became of a run.

    Attributes:
        code: the exit code.
        said: what was printed, on both streams.
        records: the records by model and fold.
        left: what its processes, and those they started, have left running.
        temporary: what lies in its folder for temporary files afterwards.
    """

    code: int
    said: str
    records: Mapping[tuple[str, str], dict]
    left: list[psutil.Process]
    temporary: list[str]

    @property
    def status(self) -> dict[str, str]:
        """The status by model, of the last fold."""
        return {model: record["status"] for (model, _), record in self.records.items()}

    def figures(self, models: Iterable[str]) -> dict:
        """Return what must not depend on neighbours: all figures but those of cost, by model, fold and name."""
        cost = ("seconds", "memory", "size", "energy", "MiB", "kWh")
        return {
            (*cell, name): figure
            for cell, record in self.records.items()
            if cell[0] in models
            for name, figure in record["metrics"].items()
            if not any(word in name for word in cost)
        }


@pytest.fixture(scope="session")
def run_in(environment, marked) -> Callable[..., Ran]:
    """Run ``cfbench run`` in a place on small data with models; look at what it leaves."""

    def call(
        tmp_path: Path,
        models: Iterable[str],
        *arguments: str,
        place: Environment = environment,
        data: str = DATA,
        into: Path | None = None,
        temporary: Path | None = None,
        lacking: str = "",
    ) -> Ran:
        folder, temporary = into or tmp_path / uuid.uuid4().hex[:8], temporary or tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        mark = uuid.uuid4().hex
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "CFBENCH_"))}
        environ = {**keep, "HOME": str(place.home), "TMPDIR": str(temporary), "CFBENCH_MARK": mark}
        options = ["-d", data, "-m", ",".join(models), "--metric", METRICS, "-o", folder, *arguments]
        command = [place.python, "-m", "cfbench", "run", *options]
        if lacking:  # as on a kernel that lacks a protection
            command = [place.python, Path(__file__).parents[1] / "nightly" / "without.py", lacking, *command]
        done = subprocess.run(
            [*map(str, command)], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False
        )
        said = done.stderr + done.stdout
        records, file = {}, folder / "records.jsonl"
        for line in map(json.loads, file.read_text().splitlines()) if file.exists() else ():
            if line["kind"] == "record":
                records[line["cell"]["model"], line["cell"]["fold"]] = line
        return Ran(done.returncode, said, records, marked(mark), sorted(path.name for path in temporary.iterdir()))

    return call


@pytest.fixture
def run(tmp_path, run_in) -> Callable[..., Ran]:
    """Run ``cfbench run`` as ``run_in`` does, into a folder of its own unless told."""
    return partial(run_in, tmp_path)


@pytest.fixture(scope="session")
def alone(tmp_path_factory, environment, run_in) -> Callable[..., Ran]:
    """Run ``honestnoise``, ``bias`` and ``popular`` alone, once for all tests that ask for the same arguments."""

    @cache
    def call(*arguments: str) -> Ran:
        environment.install_attack("honest")
        ran = run_in(tmp_path_factory.mktemp("alone"), ("honestnoise", "bias", "popular"), *arguments)
        assert ran.code == 0, ran.said
        return ran

    return call
