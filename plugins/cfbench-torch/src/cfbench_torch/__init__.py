"""Recommenders that PyTorch trains by gradient descent, from the plain dot product to networks on features.

Importing the package imports nothing else; each model lives in its own module.
"""
