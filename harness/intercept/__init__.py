"""The interception of HTTP requests, to record their responses or to replay recorded ones.

A tape is an object that receives every HTTP request made in a block `with use_tape(tape):`. There
are three tapes: a `Recorder` sends requests to the network and records the responses, a `Player`
answers requests from a cassette, and a `ReplayOrRecord` answers the requests that a cassette holds
and records the others.
"""
