"""Analysis of recorded exchanges with the descriptions of their endpoints."""
