"""Tests of the documentation site and of the workflows that people copy."""
