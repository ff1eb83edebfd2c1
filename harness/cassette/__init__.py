"""The cassette format: vcrpy's YAML files, version 1, with artefacts and journals.

Data that vcrpy has no field for is in `metadata` under the key `harness`; vcrpy ignores it. The key
`version` comes last, as vcrpy writes it, so that a truncated file is recognized.

`dumps` and `loads` convert text only. `to_files` splits a cassette into its text and the bodies
that are stored as files, `with_artefacts` puts these back. `store` reads and writes the files, and
`journal` keeps the exchanges of a recording in progress.
"""
