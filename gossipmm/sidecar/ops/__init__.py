"""What operators run it with: systemd, Kubernetes, reload, logs, metrics."""
