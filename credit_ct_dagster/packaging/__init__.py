"""What `bentoml_model` does beside saving a package."""
