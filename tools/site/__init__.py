"""What `make docs` adds to the pages: generated references and links into the repository."""
