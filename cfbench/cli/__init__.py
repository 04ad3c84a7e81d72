"""Command line: each command is imported when it is called."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnknownOptionError
from cyclopts.exceptions import UnusedCliTokensError

from cfbench.errors import CfbenchError
from cfbench.files.printable import printable, stand_in_for_what_streams_lack

_HELP = """Compare recommenders fairly.

Models come from installed plugins; every model gets the same splits; every table comes with its uncertainty and its
definitions. Add --debug to any command to see the traceback of an error."""

_EXAMPLES = """Examples:

cfbench run                         the default line-up on the embedded data
cfbench run --quick                 the same on a small sample, under a minute
cfbench list models                 what is installed
cfbench data describe ml-100k       what a data set holds
cfbench report runs/default         the tables again, from the records
cfbench doctor                      what is wrong here, and how to fix it"""

_RUN_EXAMPLES = """Finished cells are kept in the run's folder: the same command again computes only what is missing.

Examples:

cfbench run
cfbench run --quick
cfbench run my-suite.toml --jobs 2
cfbench run -m 'MODEL[n_factors=20,weight_decay=0.1]' -m ANOTHER -d ml-100k -s predefined
cfbench run -d path/to/ratings.csv -s 'kfold[k=5]' --dry-run"""

_BETWEEN_COLLECTIONS = 50_000  # objects made between searches for garbage; importing makes many, and none is garbage

_COMMANDS = {
    "run": ("cfbench.cli.run:run", "Run a suite: fit, predict, measure, and print the tables.", _RUN_EXAMPLES),
    "report": (
        "cfbench.cli.report:report",
        "Render the tables of a finished run again, from its records.",
        "Example:\n\ncfbench report runs/default",
    ),
    "rescore": (
        "cfbench.cli.report:rescore",
        "Measure a finished run again from its raw answers, by other metrics too.",
        "Examples:\n\ncfbench rescore runs/default\ncfbench rescore runs/default --metric NDCG@5,MAP@10",
    ),
    "verify": (
        "cfbench.cli.run:verify",
        "Run a suite and compare it with published figures; exit 1 where one is missed.",
        "Examples:\n\ncfbench verify protocol-a\ncfbench verify my-suite.toml --jobs 2\ncfbench verify",
    ),
    "inspect": (
        "cfbench.cli.fitted_models:inspect",
        "Show what the fitted model of a finished run has learned: biases, neighbours, learning curves ...",
        "Examples:\n\ncfbench inspect runs/default MODEL\n"
        'cfbench inspect runs/default MODEL --near "Silence of the Lambs" --only nearest,biases\n'
        "cfbench inspect runs/default MODEL --map tsne --format svg,png --without-active 0.01",
    ),
    "recommend": (
        "cfbench.cli.fitted_models:recommend",
        "Show what a model of a finished run recommends to a user, or to somebody new.",
        "Examples:\n\ncfbench recommend runs/default MODEL --user 42 -n 10\n"
        "cfbench recommend runs/default MODEL --ratings mine.csv\n"
        "cfbench recommend runs/default MODEL --features age=24,occupation=student",
    ),
    "list": (
        "cfbench.cli.listing:show",
        "Show installed models, datasets, preprocessors, splitters, metrics, executors, trackers and suites.",
        "Examples:\n\ncfbench list\ncfbench list models --long\ncfbench list metrics --long   every exact definition",
    ),
    "doctor": (
        "cfbench.cli.doctor:doctor",
        "Check the installation and the machine: what is wrong, and how to fix it.",
        "Examples:\n\ncfbench doctor\ncfbench doctor --json",
    ),
    "data": ("cfbench.cli.data:app", "List, describe and fetch data sets.", ""),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 for success, 1 for a failed run, 2 for a usage error, 130 when interrupted.

    Every failure becomes one line on standard error, unless ``--debug`` asks for its traceback.
    """
    stand_in_for_what_streams_lack()
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        words = [word for word in given if word != "--debug"]
        code = _application()(words, exit_on_error=False, print_error=False)
    except BrokenPipeError:  # the reader of a listing, a pager for example, has left: not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = _fail("interrupted", 130)
    except CycloptsError as error:
        code = _fail(_advised(error), 2)
    except Exception as error:
        if "--debug" in given:
            raise
        match error:
            case CfbenchError():
                code = _fail(str(error), error.exit_code)
            case OSError():
                code = _fail(f"{error.strerror or error}: {error.filename or 'a temporary file or the output'}", 1)
            case _:
                name = type(error).__name__
                code = _fail(f"internal error, {name}: {error}; --debug shows where; please report it", 1)
    gc.freeze()  # the interpreter searches what is left for garbage before it ends
    sys.exit(code if isinstance(code, int) else 0)


def _application() -> App:
    """Return the command tree; commands are import paths, so that --help imports none of them."""
    app = App(
        name="cfbench",
        help=_HELP,
        help_epilogue=_EXAMPLES,
        help_format="plaintext",
        default_parameter=Parameter(negative=()),
        version=version("cfbench"),
        result_action="return_value",
    )
    for name, (target, summary, examples) in _COMMANDS.items():
        epilogue = {"help_epilogue": examples} if examples else {}
        app.command(target, name=name, help=summary, **epilogue)
    return app


def _advised(error: CycloptsError) -> str:
    """Return the message of a command line that cannot be read, with what to type instead where it does not say so."""
    command = " ".join(("cfbench", *(error.command_chain or ())))
    message = str(error)
    if isinstance(error, UnusedCliTokensError):
        message = f"`{command}` does not take {' '.join(error.unused_tokens or ())!r}."
    if isinstance(error, MissingArgumentError) and error.argument is not None and error.argument.name.startswith("-"):
        message += f" One that begins with '-' is written as {error.argument.name}=VALUE."
    if isinstance(error, UnusedCliTokensError | UnknownOptionError | MissingArgumentError):
        message += f" `{command} --help` shows its arguments and options, with examples."
    return message


def _fail(message: str, code: int) -> int:
    print(printable(f"cfbench: {message}"), file=sys.stderr)
    return code
