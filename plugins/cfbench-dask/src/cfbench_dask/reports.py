"""What workers report of their cells while these run, held to be from anybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfbench.model.protocols import EpochReport

_LONGEST = 500  # characters of a text


def reports_in(event: object, session: str) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """Yield worker, task, method of RunEvents and arguments, out of an event as a scheduler passes it on.

    What another run was told, and what is no report, is dropped.
    """
    match event:
        case (_, {"session": found, "worker": str(worker), "news": list() | tuple() as news}) if found == session:
            for one in news:
                match one:
                    case [str(task), str(kind), list() | tuple() as arguments]:
                        understood = _understood(kind, arguments)
                        if understood is not None:
                            yield worker, task, kind, understood


def _understood(kind: str, arguments: Any) -> tuple[Any, ...] | None:
    """Return the arguments of an event, None where it is something else."""
    match kind, [*arguments]:
        case (("cell_phase" | "note"), [str(text)]):
            return (text[:_LONGEST],)
        case "cell_usage", [int() | float() as seconds, int(size)]:
            return (seconds, size)
        case "cell_epoch", [
            int(epoch),
            int(epochs),
            (int() | float() | None) as train,
            (int() | float() | None) as other,
        ]:
            return (EpochReport(epoch, epochs, train, other),)
    return None
