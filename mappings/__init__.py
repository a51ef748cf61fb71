"""Mappings: how records lie in each store."""
