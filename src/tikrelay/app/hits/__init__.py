"""How a hit is read from what people copy, and what the collecting routes make of it."""
