// Package score turns what a drill saw into figures, a score from 0 to 100, a table, JSON and pictures.
//
// What it learns: the outcome of every step of every visitor ([Sample]), what the attack was answered ([Moment]) and what
// the origin got ([Origin]), each in pieces of 250 ms. What it writes: a [Result] of each scenario, a [Report] of one
// target, and one table for the reports of several. It knows nothing of proxies: who passes everything and who refuses
// everything are measured with the same rule, and docs/drill.md says the rule in words.
//
// What bounds it: a [Recorder] keeps the first 262,144 samples of a run, 64 kinds of visitors and 32 reasons each; a
// picture has a point for every 250 ms of at most ten minutes. How it fails: [Judge] always gives a result, with a note
// wherever the data can't carry a figure; only writing and reading return errors.
package score
