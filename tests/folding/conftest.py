"""Property tests run the same cases every time, however busy the machine is."""

from hypothesis import settings

settings.register_profile("folding", deadline=None, derandomize=True)
settings.load_profile("folding")
