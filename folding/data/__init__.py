"""From what to fold to what the network reads: alignments, tokens, features."""
