"""A task and a model that tell every secret they were given."""
