"""An example plug-in: the provider `echo`, a rule for every provider, and a report as CSV."""
