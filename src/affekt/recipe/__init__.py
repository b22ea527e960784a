"""Recipes: what a run is to do, as checked YAML."""
