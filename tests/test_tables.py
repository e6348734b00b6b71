import subprocess
import sys

import pytest

from headstart import backbones, modalities, objectives, tasks
from headstart.errors import UserError

TABLES = [backbones.table, modalities.table, objectives.table, tasks.table]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.kind)
def test_every_row_loads_and_has_a_summary(table):
    for name in table:
        assert table[name]
        assert table.load(name).Config


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean denoising") as caught:
        objectives.table.load("denoisng")
    assert "autoencoder" in str(caught.value)


@pytest.mark.parametrize("arguments", [["--help"], ["pretrain", "--help"], ["list", "datasets"]])
def test_help_and_list_do_not_import_torch(arguments):
    code = (
        "import sys\nfrom headstart.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
