"""Operations: systemd, Kubernetes, reload, logs, metrics."""
