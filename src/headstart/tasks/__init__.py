"""What labels ask for: a head, a loss, figures; `supervised` is the Learner that trains one.

A task is built as `Task(config, dim, targets)` from the targets it may see. `table` lists them.
"""

from headstart.tables import Table

table = Table(
    "task",
    {
        "classification": (
            "headstart.tasks.classification:Classification",
            "one of several classes a sample",
        ),
        "multilabel": (
            "headstart.tasks.multilabel:MultiLabel",
            "several labels a sample, parted by |, or none",
        ),
        "regression": ("headstart.tasks.regression:Regression", "one number a sample"),
        "transcription": (
            "headstart.tasks.transcription:Transcription",
            "what is said in a recording, written down, with times",
        ),
        "tagging": ("headstart.tasks.tagging:Tagging", "a tag for each word of a text"),
    },
)
