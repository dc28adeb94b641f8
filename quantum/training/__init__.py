"""Learning with circuits: optimizers, layers, and the loop around them."""
