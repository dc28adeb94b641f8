"""Trains the small model that ships with the code: data, losses, loop, evaluation."""
