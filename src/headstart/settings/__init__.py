"""Settings: frozen dataclasses, resolved from presets, YAML files, flags and `--set`.

    class FooConfig(Settings):           # beside the component it sets
        width: int = setting(64, "units a layer", least=1)

`flags` turns such a class into command-line flags, `resolve` turns plain data into an instance
and reports every fault at once, `files` reads and writes YAML. Nothing here knows what is set.
"""

from headstart.settings.base import Range, Settings, as_plain, setting
from headstart.settings.durations import Duration
from headstart.settings.resolve import Faults, merge, resolve, set_path
from headstart.settings.sizes import Size

__all__ = [
    "Duration",
    "Faults",
    "Range",
    "Settings",
    "Size",
    "as_plain",
    "merge",
    "resolve",
    "set_path",
    "setting",
]
