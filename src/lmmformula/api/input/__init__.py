"""What a user gives: formulas and families as text, data of any kind, files of fits."""
