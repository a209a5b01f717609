"""Virtual time, a virtual network, and hosts on it that run real cores."""
