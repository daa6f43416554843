"""Parts that every node of this package uses: quality of service, parameters, process, log."""
