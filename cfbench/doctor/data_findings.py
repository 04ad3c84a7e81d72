"""Which data are at hand."""

from __future__ import annotations

from collections.abc import Sequence

from cfbench.doctor.doctor_options import Premises
from cfbench.doctor.finding import Finding
from cfbench.doctor.import_probing import Probe

_TOPIC = "data"


def data_findings(premises: Premises, probes: Sequence[Probe]) -> list[Finding]:
    """Tell whether the named folder is of use, and where every data set would come from."""
    told = {plugin.name: where for probe in probes for plugin, where in probe.whereabouts.items()}
    return [
        *_named_folder(premises, list(told.values())),
        *(Finding(_TOPIC, "ok", f"{name}: {where}") for name, where in sorted(told.items())),
    ]


def _named_folder(premises: Premises, whereabouts: Sequence[str]) -> list[Finding]:
    folder = premises.named_data
    if folder is None:
        remedy = "CFBENCH_DATA=FOLDER names one with data sets that you have, where that is wanted"
        return [Finding(_TOPIC, "ok", "no folder with data sets is named", remedy)]
    if not folder.is_dir():
        return [
            Finding(_TOPIC, "problem", f"{folder}, named for data, is not a folder", "create it or name another one")
        ]
    if any(where.startswith(str(folder)) for where in whereabouts):
        return [Finding(_TOPIC, "ok", f"data sets are taken from {folder}")]
    if not whereabouts:
        text = f"nobody can say what is in {folder}, named for data: no data set could be imported"
        return [Finding(_TOPIC, "warning", text, "mend what is told of the plugins, then run cfbench doctor again")]
    what = "holds none of the known data sets" if any(folder.iterdir()) else "is empty"
    remedy = "put each data set into a folder of its own there, named as below, or leave the folder unnamed"
    return [Finding(_TOPIC, "warning", f"{folder}, named for data, {what}", remedy)]
