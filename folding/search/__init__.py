"""Search for relatives of a chain in FASTA files on this machine, with HMMER through pyhmmer.

Nothing here reaches a network.
"""
