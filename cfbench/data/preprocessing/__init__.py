"""Preprocessors: steps from a data set to a smaller or other one, before it is split."""
