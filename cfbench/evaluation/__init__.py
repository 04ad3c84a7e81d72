"""Evaluation of a model's output: metrics, statistics, checks of output and splits."""
