"""The control API: its endpoints, the shapes of its JSON, and its OpenAPI document."""
