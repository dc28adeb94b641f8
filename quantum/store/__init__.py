"""Where things are kept: training data, checkpoints, models, metrics, states and vectors.

Everything here survives a crash in the middle of a write, and several processes at once.
"""
