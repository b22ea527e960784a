"""The bundled recipes: one YAML file for each row."""
