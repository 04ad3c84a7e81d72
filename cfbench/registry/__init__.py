"""Plugins: found by their entry points and read from their source, without importing them."""
