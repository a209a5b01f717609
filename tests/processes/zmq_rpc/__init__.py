"""A small RPC over ZeroMQ whose hosts find each other by gossip: an example, and what is tested.

``python -m tests.processes.zmq_rpc`` runs it and tells what happens. ``rpc`` is the RPC itself,
``host`` a process that serves it, ``cluster`` starts such processes and puts load on them.
"""
