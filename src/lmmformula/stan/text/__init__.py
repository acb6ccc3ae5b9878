"""Stan text: what parts of a model contribute to the blocks of a program, and the printer that lays them out."""
