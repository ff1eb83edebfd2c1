"""The interception of HTTP requests: recorded by a `Recorder`, answered by a `Player`.

With `use_tape`, every HTTP request of a context is handed to one of them, or to a
`ReplayOrRecord`, which is both. Recording and replaying differ in nothing else.
"""
