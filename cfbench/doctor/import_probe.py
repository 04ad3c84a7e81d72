"""The program that really imports a distribution's plugins, in a process that may crash or hang.

``python -m cfbench.doctor.import_probe RESULTS`` reads what to import as JSON from standard input and writes what came
of it to the file ``RESULTS``, one JSON object a line, each at once: what is missing at the end was never reached.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfbench.data.sources.source import Storage
from cfbench.errors import CfbenchError
from cfbench.registry.loading import instantiate, load_class


def main(results: Path) -> None:
    """Import every plugin that standard input names; tell of torch's CUDA where that was imported along."""
    request = json.load(sys.stdin)
    data_dir = request["data_dir"]
    storage = Storage(Path(data_dir) if data_dir else None, Path(request["cache_dir"]))
    with results.open("a", encoding="utf-8") as file:

        def tell(**facts: object) -> None:
            print(json.dumps(facts), file=file, flush=True)

        for plugin in request["plugins"]:
            began = time.monotonic()
            facts = _tried(plugin, storage)
            tell(seconds=time.monotonic() - began, **facts)
        if "torch" in sys.modules:
            tell(torch=_cuda(sys.modules["torch"]))


def _tried(plugin: Mapping[str, Any], storage: Storage) -> dict[str, str]:
    """Import a plugin's class, and ask a data set that can be made without parameters where its data are."""
    who = f"{plugin['kind']} {plugin['name']!r}"
    try:
        cls = load_class(plugin["value"], who)
        if plugin["ask"]:
            return {"whereabouts": str(instantiate(cls, {}, who).whereabouts(storage))}
    except CfbenchError as error:
        return {"problem": str(error)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the plugin's own code may raise anything
        return {"problem": f"{who} does not say where its data are: {type(error).__name__}: {error}"}
    return {}


def _cuda(torch: Any) -> dict[str, object]:
    """Say what torch was built for, and which devices it can use."""
    usable = bool(torch.cuda.is_available())
    devices = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())] if usable else []
    return {"version": str(torch.__version__), "cuda": torch.version.cuda, "devices": devices}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
