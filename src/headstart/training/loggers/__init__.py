"""Where figures go besides `progress.jsonl`, which is always written: `--log NAME`, repeatable.

An adapter is one file and one row of `table`; other packages add theirs by the entry point
`headstart.loggers`. Its constructor imports the library; `open` begins or continues a run.
"""

from headstart.tables import Table

table = Table(
    "logger",
    {
        "tensorboard": (
            "headstart.training.loggers.tensorboard:TensorBoard",
            "event files in RUN/tensorboard",
        ),
        "mlflow": (
            "headstart.training.loggers.mlflow:MLflow",
            "MLFLOW_TRACKING_URI, or RUN/mlflow.db",
        ),
        "wandb": ("headstart.training.loggers.wandb:WandB", "Weights & Biases"),
        "trackio": ("headstart.training.loggers.trackio:Trackio", "trackio, a local dashboard"),
    },
)
