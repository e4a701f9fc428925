"""What creators do: drafts, versions, signatures, orders."""
