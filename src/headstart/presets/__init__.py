"""Settings that ship with headstart: `--preset NAME` reads NAME.yaml."""
