"""From a finished run back to a fitted model: for looking into it and asking it further questions."""
