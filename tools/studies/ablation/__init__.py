"""The ablation of Selective Contrastive Learning: which of its parts help, and how sure."""
