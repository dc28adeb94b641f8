"""Live events: from the worker through Redis Streams into open pages."""
