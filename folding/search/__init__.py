"""Search for relatives of a chain: sequences for alignments, structures for templates.

HMMER does the work, through pyhmmer, in this process; databases are FASTA files and folders of
mmCIF files on this machine. Nothing here reaches a network.
"""
