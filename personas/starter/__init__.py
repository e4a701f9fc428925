"""The embedded starter model: training recipe, exported weights and model card."""
