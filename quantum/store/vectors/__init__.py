"""Vectors with an id and a few facts each, found again by what they are near to.

One interface, `VectorStore`, on a local folder or on a server. Imports no client: a store's own
module does, where it is made.
"""
