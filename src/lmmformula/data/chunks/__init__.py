"""Data in parts, read again and again: what they may be given as, file by file and library by library."""
