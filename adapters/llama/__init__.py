"""The model runner: llama.cpp in a supervised process of its own."""
