"""What is found out over many runs: which settings, which labels, whether pre-training paid.

tuning: a search over settings, judged by validation; tuning_config (what it can be told, without
torch), tuning_spaces (what may vary), tuning_journal (trials on disk, shared by processes),
tuning_trial (one trial), tuning_question (what it is about), tuning_found (what is kept of it),
tuning_page and tuning_charts (the same as a page).

labelling: which samples to label first, and a page to label them on.

compare: many runs on the same draws of labels, and what they say together; config (what is asked,
without torch), plan (which pieces of work that is), cells (how each is done), work (who does which,
over processes and machines), statistics (intervals and paired tests), results (all cells as one
table), verdict (the same in words), figures and table (how they are written), comparison_page and
comparison_curves (the same as a page), board (what is seen meanwhile). What both pages share: pages
(their templates), axis.

recommend: what to begin with on new data.

A comparison is a folder. Every piece of work leaves a file in it, so whatever ends a comparison,
the same command goes on with it:

    DIR/compare.yaml              what was asked
    DIR/pretrained/NAME/          one run for each objective, shared by all draws
    DIR/features/NAME.npz         its features of the samples that probes need
    DIR/runs/NAME/                fine-tuned runs
    DIR/cells/NAME.json           one figure each: a method, a number of labels, a draw
    DIR/comparison.json           everything together, and the verdict
    DIR/report.html               the page
"""
