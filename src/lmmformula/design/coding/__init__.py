"""What a factor becomes: its levels, its contrasts, and the rule by which a term is coded."""
