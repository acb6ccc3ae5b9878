"""Data frames and text as tables of a terminal, a notebook and a paper."""
