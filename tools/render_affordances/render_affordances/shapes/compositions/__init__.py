"""Several objects together: laid tables, desks, kitchens, lounges, wash stands."""
