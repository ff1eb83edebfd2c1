"""Contracts learned from recordings: what a service has answered so far, as JSON Schema.

Rules check an answer against the documentation; a contract checks it against earlier recordings.
Each clause of a contract, such as "this field is always present", keeps its evidence. Modules to
begin with: `evidence` (what is counted), `clause` (how far a clause can be relied on) and `judge`
(what is reported).

Terms: a section is one kind of answer of one endpoint (see `sections`). A place is a path in its
JSON, such as `/choices/[]/delta`. A family is a model's name without the date of its snapshot. A
state of a place in an exchange is `absent`, `present` or the JSON type of its value.
"""
