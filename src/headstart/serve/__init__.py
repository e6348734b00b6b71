"""A finished run as a service on HTTP, and a page to try it.

config: what `headstart serve` can be told (no torch); app: routes; guard: who may ask, how much
and how often; batching: requests of many as one pass; reading: a request's body → samples;
explain: nearest training samples, what drove an answer; metrics: figures for Prometheus.
Nothing a request holds is ever run: pictures, sounds, texts and cells are read, no more.
"""
