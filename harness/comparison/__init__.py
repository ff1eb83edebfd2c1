"""Comparison of transcripts: the formats of their answers, their meaning, and their values.

`compare` compares two transcripts, `matrix` all targets of a scenario; `field_matrix` lists the
JSON pointers at which answers have each field. A turn of a transcript may have several HTTP
exchanges, each of one kind (an answer, events of a stream, a poll of a task ...): see
`summary.PARTS`.
"""
