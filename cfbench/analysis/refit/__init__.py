"""Fitted models of a finished run, loaded or fitted again."""
