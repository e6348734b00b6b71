import pytest

from headstart.settings.sizes import Size, in_words


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("500MB", 500e6),
        ("2 GiB", 2 * 2**30),
        ("1.5gb", 1.5e9),
        ("800k", 8e5),
        (4096, 4096),
        ("7", 7),
    ],
)
def test_sizes_are_read_and_written_back(text, amount):
    size = Size.parse(text)
    assert size.amount == amount
    assert Size.parse(str(size)) == size


@pytest.mark.parametrize("text", ["", "MB", "5 parsecs", "-1MB", "0", True, None, "1e400GB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r"size|unit"):
        Size.parse(text)


def test_sizes_in_words():
    assert [in_words(n) for n in (12, 34_500, 1.25e9)] == ["12 bytes", "34.5 kB", "1.25 GB"]
