"""Translations of messages: gettext catalogues, English where a sentence is missing."""
