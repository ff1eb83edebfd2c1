"""The cassette format: vcrpy's YAML files, version 1, with artefacts and journals.

An artefact is a large response body in a file of its own; a journal is the file that an unfinished
recording is written to.

Data that vcrpy has no field for is in `metadata` under the key `harness`; vcrpy ignores it. The key
`version` comes last, as vcrpy writes it, so that a truncated file is recognized.

`writer.dumps` and `reader.loads` convert a cassette to text and back. `artefacts.to_files` takes
out the bodies that are stored as files, and `artefacts.with_artefacts` puts them back. The module
`store` reads and writes the files, and `journal` stores the exchanges of a recording in progress.
"""
