"""Recommenders whose inner loop is compiled by numba."""
