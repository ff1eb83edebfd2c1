"""The search for unused cassettes, artefacts and temporary files, and their deletion.

A file counts as unused only if that is certain. A cassette names its owner, a scenario or a test.
It is unused if the owner was searched for and does not exist, or uses another cassette. Cassettes
that name no owner, such as those of `harness.use_cassette`, never count as unused.
"""
