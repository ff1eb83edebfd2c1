"""The entry point of the command line: of `harness`, and of `python -m harness`.

It imports nothing at its start, so that Ctrl-C during all later imports ends with a message.
"""


def main() -> None:
    """Run the command line; when it is interrupted, print one line and exit with 130."""
    try:
        from harness.cli import main as run

        run()
    except KeyboardInterrupt:
        _end_interrupted()


def _end_interrupted() -> None:
    """Print that the command was interrupted, and exit with 130."""
    import sys

    from harness.locale import INTERRUPTED, LANGUAGE, language_of_environment, localized

    LANGUAGE.set(language_of_environment())
    if sys.stderr is not None:
        sys.stderr.write(f"harness: {localized(INTERRUPTED)}\n")
    sys.exit(130)


if __name__ == "__main__":
    main()
