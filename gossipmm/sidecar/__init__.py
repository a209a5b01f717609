"""The sidecar: one agent per host, with an API for programs in any language and for people.

``serve.open_sidecar`` puts the control API beside a running agent; ``schemas`` has its JSON shapes.
"""
