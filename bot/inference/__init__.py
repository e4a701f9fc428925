"""The engine without tensors: requests, the engine loop, replay."""
