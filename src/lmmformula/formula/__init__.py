"""Text to syntax tree: the grammar, the nodes, and messages for text that is not a formula."""
