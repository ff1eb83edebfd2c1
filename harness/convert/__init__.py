"""Recordings of other tools into cassettes, and cassettes into the files of other tools.

Each form is a module with `reads` (whether a file has the form), `read` and, where cassettes can be
written in it, `write`. What a form has no room for is named, not dropped in silence.
"""
