// Package flow is what is known of one request, and the means by which it is answered.
//
// A [Flow] passes through the rooms in the order of the path. Each room writes its own field and reads those of earlier rooms:
// a Flow after the fact is therefore the whole story of its request, and record writes it down. An [Exchange] is how a room
// reads a request's body and writes its response, whichever protocol carries it; a [Stream] is the connection underneath, seen by
// the protocol only.
//
// A flow, and the connection under it, has one owner at a time: a goroutine now, a loop or a goroutine later. Strings in a
// Request are substrings of one copy of its head, so whoever keeps one beyond the flow clones it ([strings.Clone]).
package flow
