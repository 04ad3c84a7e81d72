"""Published claims held against a run."""
