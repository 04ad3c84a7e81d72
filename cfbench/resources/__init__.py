"""Resources that a cell uses: clock time, memory, energy."""
