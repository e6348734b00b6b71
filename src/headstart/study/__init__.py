"""What is found out over many runs: which settings, which labels, whether pre-training paid.

tuning: a search over settings, judged by validation; tuning_config (what it can be told, without
torch), tuning_spaces (what may vary), tuning_journal (trials on disk, shared by processes),
tuning_trial (one trial), tuning_page (what mattered).
"""
