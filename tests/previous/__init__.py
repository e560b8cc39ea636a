"""The release before this one, on the schema of this one: while processes are replaced one by one, both are at work."""
