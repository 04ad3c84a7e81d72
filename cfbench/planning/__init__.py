"""From a suite to its cells."""
