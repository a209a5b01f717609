"""Virtual time and network, and the hosts on it that run real cores."""
