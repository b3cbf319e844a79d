"""The parts of a deployment as things to break: Valkey, Sentinels, nodes, lines.

Used by ``verify``, the tests and the benchmarks; knows nothing of any of them. Every
process dies with the one that started it.
"""
