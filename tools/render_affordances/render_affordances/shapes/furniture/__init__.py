"""Furniture, doors and appliances."""
