// Package config reads what an operator wants from a YAML file, for the node and its zones, and from a folder of further files of one
// zone each; and says what changes from one reading to the next.
//
// It is strict: a key that nobody knows, a value of the wrong type or out of its bounds is a [Problem], which names file, line, key and
// what would be right. A zone with a problem is refused alone. What the house knows by itself (the limits that can be counted, the
// origin's URL to the last letter) is left to the rooms, whose errors [Config.Explain] gives a place.
//
// Files are bounded in size, nesting and number, and the values they decode to (aliases counted each time) in number. What cannot be
// read fails with a Problem and never panics. Private keys stay out of every text but [Write]'s.
package config
