"""The creators' commands on Discord: drafts, publication, orders, earnings."""
