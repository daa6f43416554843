"""Selective Contrastive Learning: learns objects and parts from image-level labels."""
