"""Recommenders that PyTorch trains by gradient descent: ``dot``, ``dot-bias`` and ``nn``.

Importing the package imports nothing else; each model lives in its own module.
"""
