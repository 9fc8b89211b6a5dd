"""The reader: a small encoder that scores the units of a page, in a process of its own."""
