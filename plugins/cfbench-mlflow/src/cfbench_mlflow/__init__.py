"""Runs of cfbench, taken over into MLflow."""
