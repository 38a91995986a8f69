"""Training on top of an image encoder that stays as it is: its embeddings, kept on disk."""
