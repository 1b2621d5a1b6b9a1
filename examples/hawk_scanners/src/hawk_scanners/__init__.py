"""Scanners that need no network."""
