"""Node identities: keys, signatures, certificates, and which key speaks for which name."""
