"""Where members are by the round trips between them: coordinates whose distances are estimates."""
