"""What a pass costs on a GPU, and what is asked of it."""
