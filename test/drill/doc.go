// Command drill plays the built-in scenarios of the drill against nginx, HAProxy, Caddy and Seawall, each as its experts
// would set it, one after another, and puts their scores side by side:
//
//	go run ./test/drill [flags] [scenario|file...]
//
// What it learns: the built-in scenarios, the settings in peers/, the programs that are installed, and of each run the report
// that `seawall drill` writes; it knows nothing of a proxy but where it listens. What it writes: reports and pictures in a
// folder, and the comparing table to a page or to standard output.
//
// Every proxy is started anew for every scenario, with empty caches and counts, told only where the sites are and how many
// workers they have. What bounds it: a scenario has its own length and a minute more; only what was started here is ended, by
// its process id. How it fails: a proxy that is not installed has no part, one that fails a scenario has no score in it, and the
// command says so and fails at the end, with what there is written.
package main
