"""Asking models, and checking what they answer."""
