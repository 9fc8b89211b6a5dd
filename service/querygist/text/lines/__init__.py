"""Plain text and Markdown to blocks, by their lines."""
