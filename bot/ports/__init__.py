"""What the core needs of the world, and what adapters may call, as Protocols."""
