"""Pictures by matplotlib, the optional extra ``plots``: imported where something is drawn, the same byte for byte."""
