"""What each kind of term contributes to a program: its own short templates for each block."""
