import os
import shutil
from pathlib import Path

# Tests run side by side, one thread each: more would only wait for one another. Set before torch.
os.environ["OMP_NUM_THREADS"] = "1"

import hypothesis
import pytest

# A crowded machine is no fault of what is tested.
hypothesis.settings.register_profile("headstart", deadline=None)
hypothesis.settings.load_profile("headstart")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing is remembered from one run of the tests to the next, nor in the user's folder."""
    os.environ["HEADSTART_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def quick_runs():
    """Runs begun from Python say nothing and draw no report, unless a test asks: drawing is slow."""
    import headstart as hs

    for begin in (hs.pretrain, hs.finetune):
        begin.__kwdefaults__.update(verbose=False, report=False)
    for study in (hs.compare, hs.tune, hs.recommend):
        study.__kwdefaults__.update(verbose=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, or a skip that says where it was looked for."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("HEADSTART_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set HEADSTART_SHARED_DATA")
    return folder


@pytest.fixture
def chromium():
    """A headless browser, or a skip that says what is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def encoder_run(tmp_path_factory):
    """A short pre-training on digits."""
    import headstart as hs

    return hs.pretrain("digits", steps=60, out=tmp_path_factory.mktemp("runs") / "encoder")


@pytest.fixture(scope="session")
def model_run(tmp_path_factory, encoder_run):
    """A short fine-tuning from it."""
    import headstart as hs

    out = tmp_path_factory.mktemp("runs") / "model"
    return hs.finetune("digits", start=encoder_run, labels_per_class=10, steps=60, out=out)
