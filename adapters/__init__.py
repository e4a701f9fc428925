"""Everything that touches a network, a disk, a GPU or a chain."""
