"""Files that others may have made, or may read meanwhile: atomic writing, guarded reading, locks."""
