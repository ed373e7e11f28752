// Package server starts, configures and ends servers of others and our own, side by side on the loopback: it is what the
// benchmark and the drill of peers share.
//
// What it learns: a command, a template, a folder. What it writes: files of that folder alone. What bounds it: a server
// has 10 seconds to accept, and 5 to end before it is killed with its children; should we be killed, it ends too. How it
// fails: a server that exits is an error with what it said.
package server
