"""What backends are called. Imports nothing, so that pages can name them."""

NAMES = ("simulator", "mock", "noisy", "ibm", "ionq")
DEVICES = ("ibm", "ionq")
QUANTUM = "quantum"  # asked for: the device that suits the batch best, whichever that is
CLASSICAL = "classical"  # answered: no circuit ran, an exact classical method did it
