"""Samples with optional targets, from a name, a folder or a file.

    source (named, idx, folders, manifest, npz, tars, arrow)  →  Dataset: splits of Samples
    held makes one of what a program holds: arrays, lists, pairs with labels; given of data sets
    of other libraries; frames knows tables of any; inputs is what a finished run is asked about
    table_files reads one table column by column; tabular says what of it is target and split
    files says where encoded samples lie; listing remembers folders, caches where such things are
    splits makes the splits that a source lacks; budget picks the labels that may be used
    loader draws batches in an order that is a function of (seed, position), from memory;
    streamed does the same for what does not fit: decoding (in processes), spool (kept on disk)
    audit looks for what is wrong: `headstart inspect`

Nothing here knows a model or a loss. Arrays stay as they are read and pictures stay files until a
modality turns them into one tensor.
"""
