"""Measures this stack beside its peers, in one run and in turn: ``./hatchw run bench``.

A *stack* is an implementation behind the two verbs of `bench.stack`; a *row* is a stack with its settings; a *work* is
one thing that all of them do. Client and server are processes of their own. docs/performance.md explains the numbers.
"""
