"""The conversion of other tools' recordings to cassettes, and of cassettes to other tools' files.

Each file format is a module with `reads` (whether a file has the format), `read` and, if cassettes
can be written in it, `write`. What a format has no room for is reported, not dropped in silence.
"""
