"""Plugins, found by their metadata and understood from their source."""
