"""A model that fits until it is told to stop; registered for tests by a throw-away distribution."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfbench.model.protocols import EpochReport


@dataclass
class Waits:
    """Fits until the file ``door`` is there, and predicts the mean."""

    door: str = "/no/such/door"
    child: bool = False

    def fit(self, train, context):
        sys.stdout.write("waiting at the door\n")
        if self.child:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
        for epoch in range(1, 1000):
            if Path(self.door).exists():
                break
            context.on_epoch(EpochReport(epoch, 1000, 1.0 / epoch, None))
            time.sleep(0.1)
        self.mean_ = train.mean

    def predict(self, users, items):
        return np.full(len(users), self.mean_)
