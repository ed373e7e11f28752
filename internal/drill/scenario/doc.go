// Package scenario holds what a drill plays, as files that anyone can write: the site's capacity, who visits it, who attacks it, and what
// else goes on. Some fifty are built in.
//
// A file is read strictly: a key that nobody knows, a value of the wrong type or out of its bounds is refused with file, line, key and
// what would be right (docs/drill-scenarios.md has all keys). Every scenario that loads is bounded, in time (a minute), requests, sources,
// connections and people, so that none can ask for more than one machine has to give.
//
// The files say what is an attack; nothing else does. What an attack can be told by is listed in its plants.
package scenario
