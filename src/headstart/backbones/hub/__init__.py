"""Public encoders: those of Hugging Face transformers, and timm's, behind the face of a backbone.

choice     from `hub:NAME` to a class and complete settings
networks   from an architecture to a network; weights, layers
texts, pictures, sounds   what each kind makes of a batch

A run keeps the architecture in its own config.yaml and all weights in model.safetensors: it is
loaded without the snapshot that it began from.
"""
