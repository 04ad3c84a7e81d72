"""Cells of cfbench on the workers of a Dask cluster."""
