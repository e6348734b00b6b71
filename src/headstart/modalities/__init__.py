"""Kinds of data: how files become one tensor, what is fitted on train, how a batch is prepared.

A modality is a small object with these methods (`base.Modality`); `table` lists them. It names
its default backbone by string and knows no objective and no task.
"""

from headstart.tables import Table

table = Table(
    "modality",
    {
        "image": ("headstart.modalities.image:Image", "pictures, grey or colour, of any size"),
        "text": ("headstart.modalities.text:Text", "texts in any language and script"),
        "series": ("headstart.modalities.series:Series", "series of numbers, one or many channels"),
        "table": ("headstart.modalities.tabular:Table", "rows of numbers, categories and dates"),
        "audio": ("headstart.modalities.audio:Audio", "recordings of speech, music, any sound"),
    },
)
