"""What builds the front of the project: the pages of the documentation site, and its picture."""
