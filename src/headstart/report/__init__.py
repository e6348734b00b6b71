"""A run seen: plots in its folder and one self-contained page.

curves: what training wrote down; pictures: samples, reconstructions, mistakes; maps: the
embedding in two dimensions; answers: confusion, or prediction against truth; page: the HTML.
"""

from headstart.report.build import build

__all__ = ["build"]
