"""Servers that find alignments: whoever speaks the API of ColabFold's MMseqs2 server."""
