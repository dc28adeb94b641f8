"""Known structures that a chain may lean on: read from mmCIF, mapped to the chain, looked for."""
