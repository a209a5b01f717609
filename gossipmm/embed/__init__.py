"""The agent inside programs that do not run Trio.

``thread`` (blocking calls, any thread), ``asyncio``, and ``child`` (gevent, eventlet: the agent in
a process of its own). Import the one you need; this package imports none of them.
"""
