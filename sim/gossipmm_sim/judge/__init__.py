"""What a run is judged and measured by."""
