"""Selective Contrastive Learning: object and part level learning from image-level labels."""
