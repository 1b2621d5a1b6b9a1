"""Small Inspect tasks of several kinds, and a model that answers them without a network."""
