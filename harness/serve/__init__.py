"""Cassettes over HTTP: a replay server and a recording proxy, for clients in any language."""
