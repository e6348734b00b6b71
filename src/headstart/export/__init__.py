"""A finished run in a form that others run: ONNX, PyTorch, transformers, scikit-learn, a script.

doors: what goes into a graph, and the preprocessing that is part of it; graph: door, encoder and
head as one module; base: the face of a format; write: write beside, run again, compare, put in
place; quantise: whole numbers of 8 bits for ONNX. Each format is a file; `table` lists them.
"""

from headstart.tables import Table

table = Table(
    "format",
    {
        "onnx": ("headstart.export.onnx:Onnx", "a graph that ONNX Runtime and others run: .onnx"),
        "torch": ("headstart.export.program:Program", "torch.export's program: .pt2"),
        "safetensors": (
            "headstart.export.weights:Weights",
            "weights with all that rebuilds the network: .safetensors",
        ),
        "transformers": (
            "headstart.export.transformers:Transformers",
            "a folder that transformers' AutoModel and pipeline load",
        ),
        "sklearn": (
            "headstart.export.folders:Sklearn",
            "a folder with a scikit-learn estimator, without pickle",
        ),
        "script": (
            "headstart.export.folders:Script",
            "a folder with an executable predict.py, the weights beside it",
        ),
    },
)
