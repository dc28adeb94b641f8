"""Filters that put numbers and stages into words."""
