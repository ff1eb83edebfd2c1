"""A recorded exchange analyzed by the data of its endpoint."""
