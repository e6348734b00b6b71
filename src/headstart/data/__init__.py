"""Samples with optional targets, from a name, a folder or a file.

    source (named, idx, folders, manifest, npz)  →  Dataset: splits of Samples
    splits makes the splits that a source lacks; budget picks the labels that may be used
    loader turns resident tensors into batches whose order is a function of (seed, position)
    audit looks for what is wrong: `headstart inspect`

Nothing here knows a model or a loss. Arrays stay as they are read and pictures stay files until a
modality turns them into one tensor.
"""
