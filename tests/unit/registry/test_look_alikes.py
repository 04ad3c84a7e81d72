"""Names that a reader can take for others are told, and those of honest projects are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import cfbench
from cfbench.registry.look_alikes import FIRST_PARTY, look_alike, normalised

COMMON = frozenset(
    """
    requests numpy pandas boto3 urllib3 botocore setuptools certifi idna charset-normalizer typing-extensions six
    python-dateutil packaging s3transfer pyyaml aiobotocore grpcio-status fsspec s3fs cryptography pip cffi attrs
    wheel pycparser importlib-metadata click zipp jinja2 protobuf markupsafe rsa pyasn1 pytz platformdirs colorama
    jmespath awscli google-api-core googleapis-common-protos filelock tomli virtualenv wrapt cachetools pluggy google-
    auth pydantic pyjwt requests-oauthlib pyasn1-modules iniconfig docutils psutil jsonschema pytest exceptiongroup
    toml sqlalchemy pygments pyparsing pydantic-core multidict yarl tzdata isodate frozenlist aiohttp aiosignal scipy
    oauthlib werkzeug async-timeout greenlet lxml pillow tqdm pyarrow beautifulsoup4 soupsieve pyopenssl distlib et-
    xmlfile openpyxl tomlkit rich flask decorator more-itertools httpx httpcore h11 anyio sniffio markdown-it-py mdurl
    tabulate msgpack regex nltk scikit-learn joblib threadpoolctl matplotlib kiwisolver contourpy cycler fonttools
    networkx sympy mpmath torch torchvision torchaudio transformers tokenizers huggingface-hub safetensors tensorflow
    keras jax jaxlib numba llvmlite xgboost lightgbm catboost statsmodels seaborn plotly bokeh dash gunicorn uvicorn
    fastapi starlette django djangorestframework celery redis kombu vine amqp billiard psycopg2 psycopg
    psycopg2-binary asyncpg pymysql pymongo mysqlclient paramiko bcrypt pynacl fabric ansible docker kubernetes
    websocket-client websockets tornado ipython ipykernel jupyter jupyterlab notebook nbconvert nbformat traitlets
    pyzmq prompt-toolkit wcwidth jedi parso pexpect ptyprocess black isort flake8 pylint mypy mypy-extensions pathspec
    ruff coverage tox nox pre-commit hypothesis mock responses freezegun faker sphinx mkdocs babel pendulum arrow
    marshmallow alembic mako mlflow dask distributed ray polars duckdb pycryptodome ujson orjson simplejson lz4
    zstandard h5py zarr scikit-surprise implicit lightfm recbole cornac hatchling flit poetry cython pybind11 loguru
    sentry-sdk structlog typer pooch cyclopts lenskit myfm spotlight
    """.split()  # noqa: SIM905 - as a list it would take two hundred lines
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def test_the_first_party_distributions_are_those_of_this_repository():
    plugins = Path(cfbench.__file__).parents[1] / "plugins"
    assert sorted(FIRST_PARTY) == ["cfbench", *sorted(path.name for path in plugins.iterdir() if path.is_dir())]


def test_no_common_or_first_party_name_looks_like_another():
    assert len(COMMON) >= 200
    known = [*FIRST_PARTY, *COMMON]
    assert {name: told for name in known if (told := look_alike(name, known))} == {}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cfbench-torhc", "one letter off cfbench-torch"),
        ("cfbench-torchs", "one letter off cfbench-torch"),
        ("cfbench-trch", "one letter off cfbench-torch"),
        ("cfbench-sclpy", "looks like cfbench-scipy"),
        ("cfbench-t0rch", "looks like cfbench-torch"),
        ("cfbench-rnyfm", "looks like cfbench-myfm"),
        ("cfbenchtorch", "looks like cfbench-torch"),
        ("cfbench-tοrch", "mixes letters of several scripts: greek, latin"),
        ("cfbеnch", "mixes letters of several scripts: cyrillic, latin"),
        ("сfЬеnсһ", "mixes letters"),
        ("ｃｆｂｅｎｃｈ", "looks like cfbench"),
        ("cfbénch", "looks like cfbench"),
        ("cfbench\N{ZERO WIDTH SPACE}-torch", "cannot be seen"),
        ("cfbench\N{RIGHT-TO-LEFT OVERRIDE}", "cannot be seen"),
    ],
)
def test_a_name_that_can_be_taken_for_a_first_party_one_is_told(name, told):
    assert told in look_alike(name, FIRST_PARTY)


@pytest.mark.parametrize("name", ["cfbench_torch", "CFBench.Torch", "cfbench--torch"])
def test_spellings_that_an_index_takes_for_one_name_are_one_name(name):
    assert normalised(name) == "cfbench-torch"
    assert look_alike(name, FIRST_PARTY) == ""


@pytest.mark.parametrize("pair", [("model-1", "model-2"), ("my-lib", "my-lib2"), ("svd", "svt"), ("svd", "svdpp")])
def test_numbers_of_versions_and_short_names_are_no_likeness(pair):
    assert look_alike(pair[0], [pair[1]]) == look_alike(pair[1], [pair[0]]) == ""


@given(st.sampled_from(FIRST_PARTY), st.data())
def test_any_one_letter_added_lost_replaced_or_swapped_is_told(name, data):
    place = data.draw(st.integers(1, len(name) - 2))
    letter = data.draw(st.sampled_from(LETTERS))
    edits = (
        name[:place] + letter + name[place:],
        name[:place] + name[place + 1 :],
        name[:place] + letter + name[place + 1 :],
        name[:place] + name[place + 1] + name[place] + name[place + 2 :],
    )
    for edit in edits:
        if normalised(edit) not in FIRST_PARTY:
            assert look_alike(edit, FIRST_PARTY)


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))
def test_any_text_is_answered(name, known):
    assume(name)
    assert isinstance(look_alike(name, known), str)
    if name.isascii() and name.isprintable():
        assert look_alike(name, [name]) == ""
