// Package rules judges requests by the rules of their zone, in Cloudflare's language (package rules of the garden) and in the order of
// Cloudflare's phases.
//
// It learns a flow's request and connection, and of a response its head. It writes nothing itself: a [Ruleset] tells the verdict what its
// rules say, as a [Finding]. A ruleset asks for a field only if one of its rules reads it, and keeps nothing of a flow beyond its judgement
// but samples: of each rule the latest 8, taken at most once a second. Of a request's body it looks at the first 64 KiB, and only if a rule
// reads that and the request goes to the origin.
//
// Rate limits count requests by the values of expressions, hashed with a key, in tables whose size is given by how many rules there are: what
// clients send changes neither that nor what another rule has counted. They err for the visitor: for want of room, a count begins anew.
//
// Expressions that don't compile are refused with their place, and then the zone keeps its last good set. Judging can't fail: what a request
// has not is missing, and a comparison with that is false.
package rules
