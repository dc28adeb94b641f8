"""A quantum layer inside other frameworks, each of which is an extra."""
