"""A run is a folder: created whole, locked while it is written, every file replaced atomically.

`folder.RunFolder` knows the names of the files (DESIGN: 'What lies on disk'); `state` packs a
tree of tensors and plain values into one checksummed safetensors file, so that nothing is ever
unpickled. Nothing here knows what is trained.
"""
