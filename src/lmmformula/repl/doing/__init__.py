"""The commands of a session, by what they do."""
