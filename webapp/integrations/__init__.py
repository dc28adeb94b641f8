"""One folder per outside party, with all the code that knows it."""
